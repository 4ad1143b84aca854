"""The protocol on small meshes: perfect predictions are perfect, worse ones are worse, masks and crops are honored."""

import json

import numpy as np
import pytest

from worldtracing.camera import Camera
from worldtracing.data import assemblies, shapes
from worldtracing.engines.base import TraceOptions
from worldtracing.evaluation import commands, protocol
from worldtracing.evaluation.baselines import BASELINES, perfect, world_of
from worldtracing.evaluation.protocol import Tally, evaluate, on_pixels
from worldtracing.evaluation.views import ELEVATIONS, POINTS, Views
from worldtracing.world import LayeredWorld

pytest.importorskip("embreex")


@pytest.fixture(scope="module")
def meshes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("meshes")
    crate = assemblies.crate(np.random.default_rng(0)).normalized()
    blob = shapes.blob(np.random.default_rng(1)).normalized()
    for name, mesh in (("crate", crate), ("blob", blob)):
        np.savez(folder / f"{name}.npz", v=mesh.vertices, f=mesh.faces)
    return folder


@pytest.fixture(scope="module")
def crate_view(meshes):
    return next(iter(protocol.protocol_views([meshes / "crate.npz"], 1, 64)))


@pytest.fixture(scope="module")
def results(meshes):
    return evaluate(BASELINES, sorted(meshes.glob("*.npz")), views=2, size=64)


def test_views_follow_the_protocol(meshes):
    views = Views("blob", shapes.blob(np.random.default_rng(1)), 48)
    for index, elevation in enumerate(ELEVATIONS):
        view = views.view(index)
        assert view.camera.fov_x_degrees == pytest.approx(49.1)
        assert view.rgb.shape == (48, 48, 3) and (view.rgb[~view.mask] > 100).all()
        np.testing.assert_array_equal(view.mask, view.depth[0] > 0)
        # The object's centre lies on the axis; its surface's mean is near it.
        assert 1.2 < view.surface["all"].points[:, 2].mean() < 2.6, elevation
        assert all(len(cloud.points) == POINTS for cloud in view.surface.values())
    again = views.view(0)
    np.testing.assert_array_equal(again.rgb, views.view(0).rgb)


def test_visible_points_project_onto_layer_0(crate_view):
    for part, sign in (("visible", 1), ("unseen", -1)):
        points = crate_view.surface[part].points
        column, row = np.floor(crate_view.camera.project(points)).astype(int).T
        behind = points[:, 2] - crate_view.depth[0, row, column]
        on_object = crate_view.mask[row, column]
        share_behind = (behind[on_object] > 0.05).mean()
        assert share_behind < 0.1 if sign > 0 else share_behind > 0.6


def test_perfect_layers_score_as_well_as_sampling_allows(results):
    perfect_six = results["perfect-six"]
    assert perfect_six["own_mask/all/cd"] < 0.02 and perfect_six["own_mask/all/f@0.05"] > 0.97
    assert perfect_six["gt_mask/all/cd"] == perfect_six["own_mask/all/cd"]
    assert perfect_six["r0"] == perfect_six["s1"] == pytest.approx(0, abs=1e-6)
    assert perfect_six["layer0/absrel"] == pytest.approx(0, abs=1e-6)
    assert all(perfect_six[f"iou/layer{k}"] == 1 for k in range(4))


def test_fewer_true_layers_and_no_knowledge_score_worse(results):
    order = ("perfect-six", "perfect-two-layer", "perfect-visible", "plane")
    scores = [results[name]["own_mask/all/cd"] for name in order]
    assert scores == sorted(scores)
    assert results["inflation"]["own_mask/all/cd"] < results["plane"]["own_mask/all/cd"]
    assert results["plane"]["r0"] == pytest.approx(1)
    for name in ("perfect-visible", "perfect-two-layer"):
        assert results[name]["own_mask/visible/cd"] == results["perfect-six"]["own_mask/visible/cd"]


def test_own_mask_and_gt_mask_differ_where_the_prediction_claims_too_much(crate_view):
    depth = crate_view.depth.copy()
    depth[0][~crate_view.mask] = 10.0
    tally = Tally()
    tally.add(crate_view, world_of(depth, crate_view.camera, crate_view.rgb))
    values = tally.means()
    assert values["gt_mask/all/cd"] < 0.02 < 0.5 < values["own_mask/all/cd"]
    assert values["iou/layer0"] == pytest.approx(crate_view.mask.mean(), abs=1e-6)


def test_a_scaled_and_moved_prediction_is_as_good(crate_view):
    truth = perfect(6)(crate_view)
    moved = LayeredWorld(
        np.where(truth.valid[..., None], 3 * truth.points + np.float32([0, 0, 5]), 0).astype(np.float32),
        truth.valid,
        truth.rgb,
        truth.K,
        "relative",
    )
    tally = Tally()
    tally.add(crate_view, moved)
    assert tally.means()["own_mask/all/cd"] < 0.02


def test_crops_and_other_resolutions_are_read_at_the_views_pixels(crate_view):
    camera = crate_view.camera
    large = camera.resized(camera.width * 2, camera.height * 2).cropped(20, 10, 90, 100)
    depth = crate_view.depth.repeat(2, 1).repeat(2, 2)[:, 10:110, 20:110]
    world = world_of(depth, large, np.zeros((100, 90, 3), np.uint8))
    points, valid = on_pixels(world, crate_view)
    inside = np.s_[:, 5:55, 10:55]
    np.testing.assert_array_equal(valid[inside], (crate_view.depth > 0)[inside])
    np.testing.assert_array_equal(points[..., 2][inside], crate_view.depth[inside])
    assert not valid[:, :5].any() and not valid[:, :, :10].any()


def test_disordered_layers_are_counted(crate_view):
    tally = Tally()
    swapped = crate_view.depth[:2][::-1]
    tally.add(crate_view, world_of(swapped, crate_view.camera, crate_view.rgb))
    assert tally.means()["order_violations"] > 0.9


def test_an_empty_answer_scores_nothing(crate_view):
    tally = Tally()
    tally.add(crate_view, world_of(np.zeros_like(crate_view.depth), crate_view.camera, crate_view.rgb))
    values = tally.means()
    assert values["own_mask/all/cd"] == 1 and values["own_mask/all/f@0.1"] == 0 and values["iou/layer0"] == 0


def test_engines_get_the_picture_the_mask_and_the_true_camera(crate_view):
    seen = {}

    class Recorder:
        def trace(self, image, mask, camera, options, on_progress):
            seen.update(image=image, mask=mask, camera=camera, options=options)
            return perfect(6)(crate_view)

    protocol.engine_predict(Recorder())(crate_view)
    assert seen["image"] is crate_view.rgb and seen["mask"] is crate_view.mask
    assert isinstance(seen["camera"], Camera) and seen["options"] == TraceOptions(resolution=64)


def test_the_command_prints_lines_and_writes_a_sheet(meshes, tmp_path, capsys):
    import argparse

    parser = argparse.ArgumentParser()
    commands.add_arguments(parser)
    arguments = ["--engine", "silhouette", "--meshes", str(meshes), "--views", "1", "--size", "32"]
    assert commands.run(parser.parse_args([*arguments, "--json", "--sheet", str(tmp_path / "sheet.png")])) == 0
    lines = {line["name"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert lines["own_mask/all/cd"]["goal"] == "<= 0.035" and lines["own_mask/all/cd"]["ok"] is False
    assert lines["own_mask/all/cd"]["value"] == lines["inflation/own_mask/all/cd"]["value"]
    assert lines["perfect-six/own_mask/all/f@0.1"]["goal"] is None
    assert (tmp_path / "sheet.png").stat().st_size > 1000
    assert commands.run(parser.parse_args(arguments)) == 0
    assert "own_mask/all/cd" in capsys.readouterr().out
