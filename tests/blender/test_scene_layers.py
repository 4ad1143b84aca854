"""The node group: points and surfaces as Blender evaluates them."""

import bpy
import numpy as np
import pytest
from toy_world import make_world


@pytest.fixture
def scene(submodule):
    class Scene:
        worlds = submodule("worldtracing_addon.scene.worlds")
        compat = submodule("worldtracing_addon.compat")
        color = submodule("worldtracing_addon.core.color")
        layer_group = submodule("worldtracing_addon.scene.layer_group")
        world = make_world(submodule("backend.worldtracing.world").LayeredWorld, width=64, height=48)

        def __init__(self):
            build = submodule("worldtracing_addon.scene.build").build_world
            self.objects = build(bpy.context.scene, self.world, name="a", photo=None, source="")

        def show(self, layer=0, **inputs):
            """The evaluated geometry of a layer: a Mesh, or a PointCloud."""
            self.worlds.set_layer_inputs(self.objects, **inputs)
            depsgraph = bpy.context.evaluated_depsgraph_get()
            part = self.objects.layers[layer].evaluated_get(depsgraph)
            if bpy.app.version >= (4, 5, 0):
                self.keep = part.evaluated_geometry()
                return self.keep.pointcloud or self.keep.mesh
            for instance in depsgraph.object_instances:  # 4.2 shows the points as an instance only
                if instance.is_instance and instance.parent.original == part.original:
                    return instance.object.data
            return part.data

    return Scene()


def read(geometry, name, field, width=1):
    data = geometry.attributes[name].data
    values = np.empty(len(data) * width, np.float32)
    data.foreach_get(field, values)
    return values.reshape(len(data), width)


def points_of(geometry):
    return read(geometry, "position", "vector", 3)


def test_radius_is_in_pixels_and_follows_depth(scene):
    cloud = scene.show()
    focal = scene.world.K[0, 0]
    depth = points_of(cloud)[:, 1]
    viewport = scene.layer_group.VIEWPORT_RADIUS  # what is evaluated here is what the viewport shows
    np.testing.assert_allclose(read(cloud, "radius", "value")[:, 0], 0.75 * viewport * depth / focal, rtol=1e-5)
    radii = read(scene.show(Depth_Scaling=False, Point_Radius=2.0), "radius", "value")[:, 0]
    z = scene.world.points[scene.world.valid][:, 2]
    np.testing.assert_allclose(radii, 2 * viewport * (z.min() + z.max()) / 2 / focal, rtol=1e-5)


def test_density_thins_steadily(scene):
    everything = len(points_of(scene.show()))
    half = points_of(scene.show(Density=0.5))
    assert everything == scene.world.valid[0].sum()
    assert 0.4 * everything < len(half) < 0.6 * everything
    np.testing.assert_array_equal(points_of(scene.show(Point_Radius=1.0)), half)


def test_cut_off_hides_later_layers(scene):
    assert len(points_of(scene.show(layer=1))) > 0
    scene.worlds.set_layer_inputs(scene.objects, **{"Layer Cut-Off": 1})
    assert len(points_of(scene.show(layer=0))) > 0
    hidden = scene.show(layer=1)
    assert hidden is None or len(hidden.attributes["position"].data) == 0


def test_color_sources(scene):
    photo = read(scene.show(), "wt_color", "color", 4)[:, :3]
    np.testing.assert_allclose(
        photo, scene.color.linear_rgba(scene.world.rgb, np.eye(3))[scene.world.valid[0]][:, :3], atol=1e-6
    )
    for layer in (0, 1):
        expected = scene.color.linear_stops(scene.color.LAYER_COLORS, np.eye(3))[layer][:3]
        shown = read(scene.show(layer, Color_Source="Layer"), "wt_color", "color", 4)[:, :3]
        np.testing.assert_allclose(shown, np.broadcast_to(expected, shown.shape), atol=1e-5)
    cloud = scene.show(Color_Source="Depth")
    shown, depth = read(cloud, "wt_color", "color", 4), points_of(cloud)[:, 1]
    assert shown[depth.argmin(), 0] > shown[depth.argmin(), 2]  # near is red
    assert shown[depth.argmax(), 0] < shown[depth.argmax(), 2]  # far is blue


def test_surface_has_a_face_per_pixel_that_looks_at_the_camera(scene):
    mesh = scene.show(Display="Surface")
    assert len(mesh.polygons) == scene.world.valid[0].sum()
    assert {polygon.loop_total for polygon in mesh.polygons} == {4}
    centers = np.array([polygon.center for polygon in mesh.polygons])
    normals = np.array([polygon.normal for polygon in mesh.polygons])
    assert ((centers * normals).sum(-1) < 0).mean() > 0.99  # a torn rim may lie edge-on
    assert mesh.color_attributes.active_color_name == "wt_color"  # Solid shading shows it
    assert [material for material in mesh.materials if material][-1].name == "World Tracing Unlit"


def test_each_face_covers_its_pixel_exactly(scene):
    mesh = scene.show(Display="Surface")
    x, y, z = points_of(mesh).T
    K = scene.world.K
    pixels = np.stack([K[0, 0] * x / y + K[0, 2], -K[1, 1] * z / y + K[1, 2]], -1)
    np.testing.assert_allclose(pixels, np.rint(pixels), atol=1e-3)
    corners = np.rint(pixels[[list(polygon.vertices) for polygon in mesh.polygons]])
    covered = {(int(row), int(column)) for column, row in corners.min(1)}
    assert (np.ptp(corners, axis=1) == 1).all()
    assert covered == {(int(row), int(column)) for row, column in np.argwhere(scene.world.valid[0])}


def test_no_face_spans_a_depth_jump(scene):
    mesh = scene.show(Display="Surface", Depth_Jump=0.05)
    depth = points_of(mesh)[:, 1][[list(polygon.vertices) for polygon in mesh.polygons]]
    assert (np.ptp(depth, axis=1) < 0.1 * depth.min(1)).all()
    whole = scene.show(Display="Surface", Depth_Jump=10.0)
    depth = points_of(whole)[:, 1][[list(polygon.vertices) for polygon in whole.polygons]]
    assert (np.ptp(depth, axis=1) > 0.1 * depth.min(1)).any()


def test_surface_meets_planes_exactly(scene, submodule):
    world = scene.world
    v, u = np.mgrid[: world.height, : world.width] + 0.5
    rays = np.stack([(u - world.K[0, 2]) / world.K[0, 0], (v - world.K[1, 2]) / world.K[1, 1], np.ones_like(u)], -1)
    depth = 2 / (rays @ [0.5, -0.3, 1])  # the plane 0.5 x - 0.3 y + z = 2
    points = (rays * depth[..., None])[None].astype(np.float32)
    plane = type(world)(points, np.ones(points.shape[:3], bool), world.rgb, world.K, "metric")
    build = submodule("worldtracing_addon.scene.build").build_world
    scene.objects = build(bpy.context.scene, plane, name="plane", photo=None, source="")
    mesh = scene.show(Display="Surface")
    x, y, z = points_of(mesh).T
    off = np.abs(0.5 * x + 0.3 * z + y - 2)
    inner = np.zeros(len(off), bool)
    counts = np.bincount([vertex for polygon in mesh.polygons for vertex in polygon.vertices], minlength=len(off))
    inner[counts == 4] = True
    assert inner.sum() == (world.width - 1) * (world.height - 1)
    assert off[inner].max() < 1e-5


def test_surface_carries_uv_color_and_layer(scene):
    mesh = scene.show(layer=1, Display="Surface")
    world = scene.world
    uv = read(mesh, "UVMap", "vector", 2).reshape(-1, 4, 2).mean(1)
    rows, columns = (uv * [world.width, world.height]).T[::-1]
    rows = world.height - rows
    cells = np.stack([rows, columns], -1).astype(int)
    np.testing.assert_array_equal(np.unique(cells, axis=0), np.argwhere(world.valid[1]))
    color = read(mesh, "wt_color", "color", 4).reshape(-1, 4, 4)[..., :3]
    expected = scene.color.linear_rgba(world.rgb, np.eye(3))[rows.astype(int), columns.astype(int), :3]
    assert color.min() >= -1e-6
    assert np.abs(color.mean(1) - expected).mean() < 0.01  # the mean over a face is its pixel's color
    assert {item.value for item in mesh.attributes["wt_layer"].data} == {1}


def test_lit_switches_the_material(scene):
    for lit, name in ((True, "World Tracing Lit"), (False, "World Tracing Unlit")):
        mesh = scene.show(Display="Surface", Lit=lit)
        assert [material for material in mesh.materials if material][-1].name == name


def test_unlit_surfaces_stay_out_of_the_light_tree(scene):
    assert bpy.data.materials["World Tracing Unlit"].cycles.emission_sampling == "NONE"


def test_inputs_have_defaults_and_descriptions(scene):
    modifier = scene.worlds.layer_modifier(scene.objects.layers[0])
    assert scene.compat.get_modifier_input(modifier, "Display") == "Points"
    assert scene.compat.get_modifier_input(modifier, "Point Radius") == 0.75
    assert scene.compat.get_modifier_input(modifier, "Material").name == "World Tracing Unlit"
    sockets = [item for item in modifier.node_group.interface.items_tree if item.item_type == "SOCKET"]
    assert all(item.description for item in sockets if item.socket_type != "NodeSocketGeometry")
    with pytest.raises(KeyError):
        scene.worlds.set_layer_inputs(scene.objects, No_Such_Input=1)
