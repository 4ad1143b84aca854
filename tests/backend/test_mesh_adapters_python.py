"""TRELLIS.2, Pixal3D, SAM 3D Objects: what reaches each, and where its mesh ends up. Each is a fake in a process."""

import math

import numpy as np
import pytest
from adapter_help import FakeRepository, misplacement, silent
from lumpy_mesh import lumpy_mesh
from mesh_world import TRUE_POSE, mesh_world, true_mesh
from PIL import Image

from worldtracing.errors import WorldTracingError
from worldtracing.meshing.adapters import trellis2 as trellis2_module
from worldtracing.meshing.adapters.picture import object_view
from worldtracing.meshing.adapters.pixal3d import Pixal3DGenerator, camera_distance
from worldtracing.meshing.adapters.runners import trellis2 as trellis2_runner
from worldtracing.meshing.adapters.sam3d import SAM3DGenerator, color_atlas, fewer_faces
from worldtracing.meshing.adapters.trellis2 import VOXEL_RESOLUTION, Trellis2Generator, Trellis2TextureGenerator
from worldtracing.meshing.base import MeshOptions
from worldtracing.meshing.textured import TexturedMesh
from worldtracing.meshing.voxels import CanonicalFrame, occupied_voxels

SMALL = {"faces": 500, "texture_size": 64, "seed": 7}


@pytest.fixture(scope="module")
def world():
    return mesh_world()


def alpha_pixels(picture):
    return picture["sum"][3] / 255


def test_trellis2_gets_the_voxels_and_its_mesh_stands_in_the_photo(world, tmp_path, monkeypatch):
    fake = FakeRepository("trellis2", tmp_path, monkeypatch)
    frame = CanonicalFrame.fit(world.points, world.valid)
    vertices, faces = true_mesh()
    fake.answer(vertices=frame.apply(vertices), faces=faces)
    stages = []
    options = MeshOptions(**SMALL, extra=fake.extra)
    mesh = Trellis2Generator().generate(world, None, options, lambda stage, k, n: stages.append(stage))

    assert misplacement(mesh) < 0.004
    assert mesh.metadata["generator"] == "trellis2"
    assert mesh.metadata["alignment"]["distance"] < 0.01
    assert mesh.base_color.shape == (64, 64, 4)
    assert mesh.base_color[5, 5].tolist() == [200, 100, 50, 255]
    assert (mesh.roughness[0, 0], mesh.metallic[0, 0]) == (140, 20)
    assert list(dict.fromkeys(stages))[-6:] == [*trellis2_runner.STAGES, "Aligning the mesh"]

    calls = fake.calls()
    voxels = occupied_voxels(world.points, world.valid, frame, 32)
    coords = [[0, *voxel] for voxel in voxels.tolist()]
    assert [name for name, _ in calls] == [
        "from_pretrained",
        "cuda",
        "preprocess_image",
        "get_cond",
        "get_cond",
        "sample_shape_slat_cascade",
        "sample_tex_slat",
        "decode_latent",
        "simplify",
        "to_glb",
    ]
    asked = dict(calls)
    assert asked["from_pretrained"] == {"path": "microsoft/TRELLIS.2-4B", "config_file": "pipeline.json"}
    picture = asked["preprocess_image"]["input"]
    assert (picture["mode"], picture["size"]) == ("RGBA", [world.width, world.height])
    assert alpha_pixels(picture) == world.valid[0].sum()
    assert [entry["resolution"] for name, entry in calls if name == "get_cond"] == [512, 1024]
    assert asked["sample_shape_slat_cascade"] == {
        "lr_cond": "cond_512",
        "cond": "cond_1024",
        "flow_model_lr": "shape_slat_flow_model_512",
        "flow_model": "shape_slat_flow_model_1024",
        "lr_resolution": 512,
        "resolution": 1024,
        "coords": {"torch": "torch.int32", "values": coords},
        "grad": False,
    }
    assert asked["sample_tex_slat"]["flow_model"] == "tex_slat_flow_model_1024"
    assert asked["sample_tex_slat"]["cond"] == "cond_1024"
    assert asked["decode_latent"] == {"shape_slat": "shape", "tex_slat": "texture", "resolution": 1024}
    assert asked["to_glb"] == {
        "voxel_size": 1 / 1024,
        "grid_size": None,
        "aabb": [[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]],
        "decimation_target": 500,
        "texture_size": 64,
        "remesh": True,
        "remesh_band": 1,
        "remesh_project": 0,
        "attr_volume": "attrs",
        "coords": "coords",
        "attr_layout": "layout",
    }


@pytest.mark.parametrize(
    ("kind", "cond", "shape_model", "texture_model", "resolution"),
    [
        ("512", "cond_512", "shape_slat_flow_model_512", "tex_slat_flow_model_512", 512),
        ("1024", "cond_1024", "shape_slat_flow_model_1024", "tex_slat_flow_model_1024", 1024),
        ("1536_cascade", "cond_1024", "shape_slat_flow_model_1024", "tex_slat_flow_model_1024", 1408),
    ],
)
def test_trellis2_runs_each_pipeline_as_its_own_run_does(
    kind, cond, shape_model, texture_model, resolution, tmp_path, monkeypatch
):
    fake = FakeRepository("trellis2", tmp_path, monkeypatch)
    monkeypatch.syspath_prepend(str(fake.path))
    fake.answer(vertices=np.zeros((3, 3), np.float32), faces=np.array([[0, 1, 2]]))
    from trellis2.pipelines import Trellis2ImageTo3DPipeline

    picture = Image.new("RGB", (4, 4))
    trellis2_runner.sample(Trellis2ImageTo3DPipeline(), picture, np.zeros((1, 4)), kind, lambda stage: None)
    asked = dict(fake.calls())
    sampled = asked.get("sample_shape_slat") or asked["sample_shape_slat_cascade"]
    assert (sampled["cond"], sampled["flow_model"]) == (cond, shape_model)
    assert (asked["sample_tex_slat"]["cond"], asked["sample_tex_slat"]["flow_model"]) == (cond, texture_model)
    assert asked["decode_latent"]["resolution"] == resolution


def test_cascades_get_coarse_voxels_and_plain_1024_fine_ones():
    assert VOXEL_RESOLUTION == {"512": 32, "1024": 64, "1024_cascade": 32, "1536_cascade": 32}


def test_an_unknown_pipeline_is_refused_before_anything_starts(world):
    with pytest.raises(WorldTracingError, match="1024_cascade") as caught:
        Trellis2Generator().generate(world, None, MeshOptions(extra={"pipeline": "2048"}), silent)
    assert caught.value.code == "WT-MESH-OPTION"


def test_what_the_photo_does_not_show_is_refused(world):
    hidden = world.valid.copy()
    hidden[0] = False
    with pytest.raises(WorldTracingError) as caught:
        Trellis2Generator().generate(world, hidden, MeshOptions(), silent)
    assert caught.value.code == "WT-MESH-HIDDEN"


def test_trellis2_paints_the_built_in_mesh_where_it_stands(world, tmp_path, monkeypatch):
    fake = FakeRepository("trellis2", tmp_path, monkeypatch)
    vertices, faces = true_mesh()
    built_in = TexturedMesh(
        vertices, faces, np.zeros((len(faces), 3, 2), np.float32), np.zeros((2, 2, 4), np.uint8), metadata={"notes": []}
    )
    asked_for = []

    class BuiltIn:
        def generate(self, world, mask, options, on_progress):
            asked_for.append(options)
            return built_in

    monkeypatch.setattr(trellis2_module, "create_generator", lambda name: {"layers": BuiltIn}[name]())
    options = MeshOptions(**SMALL, extra=fake.extra)
    mesh = Trellis2TextureGenerator().generate(world, None, options, silent)
    assert asked_for == [MeshOptions(**SMALL)]
    assert misplacement(mesh) < 1e-5
    assert mesh.base_color.shape == (64, 64, 4)
    asked = dict(fake.calls())
    assert asked["from_pretrained"]["config_file"] == "texturing_pipeline.json"
    upright = asked["run"].pop("vertices")["values"]
    np.testing.assert_allclose(upright, vertices * [1, -1, -1], atol=1e-6)
    assert asked["run"].pop("faces")["values"] == faces.tolist()
    picture = asked["run"].pop("image")
    assert (picture["mode"], alpha_pixels(picture)) == ("RGBA", world.valid[0].sum())
    assert asked["run"] == {"seed": 7, "preprocess_image": True, "resolution": 1024, "texture_size": 64}


def test_pixal3d_gets_the_photos_camera_and_its_mesh_covers_the_pixels(world, tmp_path, monkeypatch):
    fake = FakeRepository("pixal3d", tmp_path, monkeypatch)
    view = object_view(world, world.valid[0], 1024, 1.1)
    vertices, faces = true_mesh()
    # Where a perfect Pixal3D would put it: in front of its camera at the distance that it was told, y up.
    seen = vertices.astype(np.float64) @ view.rotation
    size = camera_distance(view.fov) / seen[:, 2].mean()
    inside = (seen * size - [0, 0, camera_distance(view.fov)]) * [1, -1, -1]
    fake.answer(vertices=inside.astype(np.float32), faces=faces)
    mesh = Pixal3DGenerator().generate(world, None, MeshOptions(**SMALL, extra=fake.extra), silent)

    assert misplacement(mesh) < 0.004
    asked = dict(fake.calls())
    assert asked["init_pipeline"] == {"model_path": "TencentARC/Pixal3D", "low_vram": True}
    camera = asked["run"].pop("camera_params")
    assert camera == {"camera_angle_x": view.fov, "distance": 0.5 / math.tan(view.fov / 2), "mesh_scale": 1.0}
    picture = asked["run"].pop("image")
    assert (picture["mode"], picture["size"]) == ("RGB", [1024, 1024])
    assert picture["sum"] == view.on_black().sum((0, 1)).tolist()
    names = ("steps", "guidance_strength", "guidance_rescale", "rescale_t")
    values = [(12, 7.5, 0.7, 5.0), (12, 7.5, 0.5, 3.0), (12, 1.0, 0.0, 3.0)]
    assert asked["run"] == {
        "seed": 7,
        "samplers": [dict(zip(names, stage, strict=True)) for stage in values],
        "preprocess_image": False,
        "return_latent": False,
        "pipeline_type": "1024_cascade",
        "max_num_tokens": 49152,
    }
    assert (asked["to_glb"]["grid_size"], asked["to_glb"]["decimation_target"]) == (1024, 500)


def test_the_distance_is_the_main_branchs():
    """MoGe's default field of view of inference.py's training camera: the middle plane fills the picture."""
    assert camera_distance(math.radians(49.13)) == pytest.approx(1.0938, abs=1e-3)
    vertices, _ = lumpy_mesh()
    assert TRUE_POSE(vertices)[:, 2].min() > 1


def test_sam3d_gets_layer_0_as_its_point_map_and_its_pose_is_understood(world, tmp_path, monkeypatch):
    fake = FakeRepository("sam3d", tmp_path, monkeypatch)
    vertices, faces = true_mesh()
    # The model's answer for the true place, by the conventions of its own code: GLB y up, local z up, PyTorch3D's
    # camera with x left and y up, row vectors.
    scale, translation, turn = 1.7, np.array([-0.3, 0.1, 2.0]), np.radians(40)
    rotation = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    local = (vertices * [-1, -1, 1] - translation) @ rotation.T / scale
    colors = np.random.default_rng(0).integers(0, 255, (len(vertices), 4)).astype(np.uint8)
    fake.answer(
        vertices=local @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]),
        faces=faces,
        colors=colors,
        rotation=np.array([np.cos(turn / 2), 0, 0, np.sin(turn / 2)], np.float32),
        translation=translation.astype(np.float32),
        scale=np.full(3, scale, np.float32),
    )
    mesh = SAM3DGenerator().generate(world, None, MeshOptions(seed=7, extra=fake.extra), silent)
    assert misplacement(mesh) < 0.004
    assert color_at(mesh, 3, 0) == colors[faces[3, 0], :3].tolist()
    asked = dict(fake.calls())
    assert asked["Inference"] == {"config_file": "checkpoints/hf/pipeline.yaml", "compile": False}
    call = asked["__call__"]
    assert call["seed"] == 7
    assert call["image"] == {"numpy": "uint8", "values": world.rgb.tolist()}
    assert call["mask"] == {"numpy": "bool", "values": world.valid[0].tolist()}
    assert call["pointmap"]["torch"] == "torch.float32"
    expected = np.where(world.valid[0][..., None], world.points[0] * [-1, -1, 1], np.nan)
    np.testing.assert_array_equal(np.array(call["pointmap"]["values"]), expected)


def color_at(mesh, face, corner):
    size = len(mesh.base_color)
    u, v = mesh.uvs[face, corner]
    return mesh.base_color[int((1 - v) * size), int(u * size), :3].tolist()


@pytest.mark.parametrize(("count", "size", "side"), [(1, 64, 64), (10, 64, 64), (5000, 64, 142)])
def test_vertex_colors_survive_as_a_texture(count, size, side):
    random = np.random.default_rng(0)
    colors = random.integers(0, 256, (3 * count, 3)).astype(np.uint8)
    faces = np.arange(3 * count, dtype=np.int32).reshape(-1, 3)
    texture, uvs = color_atlas(faces, colors, size)
    assert texture.shape == (side, side, 4)
    rows, columns = ((1 - uvs[..., 1]) * side).astype(int), (uvs[..., 0] * side).astype(int)
    np.testing.assert_array_equal(texture[rows, columns, :3], colors[faces])


def test_linear_filtering_of_the_atlas_is_the_interpolated_color():
    colors = np.array([[0, 0, 0], [200, 0, 40], [100, 240, 0]], np.uint8)
    texture, uvs = color_atlas(np.array([[0, 1, 2]], np.int32), colors, 64)
    weights = np.array([0.2, 0.5, 0.3])
    x, y = (weights @ uvs[0] * (1, -1) + (0, 1)) * 64 - 0.5
    column, row = int(x), int(y)
    block = texture[row : row + 2, column : column + 2, :3].astype(float)
    across, down = x - column, y - row
    mixed = (block[0, 0] * (1 - across) + block[0, 1] * across) * (1 - down)
    mixed += (block[1, 0] * (1 - across) + block[1, 1] * across) * down
    np.testing.assert_allclose(mixed, weights @ colors, atol=1)


def test_decimation_keeps_colors_near():
    vertices, faces = lumpy_mesh()
    colors = np.where(vertices[:, :1] > 0, 250, 10).astype(np.uint8).repeat(3, 1)
    fewer, triangles, kept = fewer_faces(vertices.astype(np.float32), faces, colors, 400)
    assert len(triangles) <= 420
    clear = np.abs(fewer[:, 0]) > 0.1
    np.testing.assert_array_equal(kept[clear, 0] == 250, fewer[clear, 0] > 0)
