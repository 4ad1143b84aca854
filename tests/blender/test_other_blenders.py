"""Settings that another version of Blender, or one with other add-ons, has kept in the file."""

import bpy


def change(scene, key, group, name, value):
    """Write what another Blender would have kept."""
    kept = scene[key].to_dict()
    kept[group][name] = value
    scene[key] = kept


def test_the_engine_of_another_version_is_restored_under_its_name_here(api):
    scene = bpy.context.scene
    here = scene.render.engine
    api.use_view_settings(scene, "CYCLES")
    for name in ("BLENDER_EEVEE", "BLENDER_EEVEE_NEXT"):
        change(scene, "wt_before_view_settings", "engine", "engine", name)
        api.restore_view_settings(scene)
        assert scene.render.engine == here and "wt_before_view_settings" not in scene
        api.use_view_settings(scene, "CYCLES")
    change(scene, "wt_before_view_settings", "engine", "engine", "SOMEBODYS_RENDERER")
    api.restore_view_settings(scene)
    assert scene.render.engine == "CYCLES" and "wt_before_view_settings" not in scene


def test_a_view_transform_that_this_blender_lacks_keeps_nobody_in_match_photo(api):
    scene = bpy.context.scene
    scene.view_settings.exposure = 1.5
    api.set_match_photo(scene, True)
    change(scene, "wt_before_match_photo", "view", "view_transform", "Of Another Version")
    api.set_match_photo(scene, False)
    assert not api.matches_photo(scene) and scene.view_settings.exposure == 1.5
    assert scene.view_settings.view_transform == "Standard"
