import numpy as np
import pytest
from PIL import Image

from worldtracing import LayeredWorld, WorldTracingError
from worldtracing.camera import DEFAULT_FOV_DEGREES, Camera
from worldtracing.engines.base import EngineInfo, create_engine
from worldtracing.tracing import TraceRequest, trace_photo

FOCAL_35MM = 41989


class SpyEngine:
    """Remembers what it was called with and answers with one flat layer."""

    info = EngineInfo("spy", "Spy", "For tests.", modes=("object", "scene"))

    def trace(self, image, mask, camera, options, on_progress):
        self.image, self.mask, self.camera, self.options = image, mask, camera, options
        points = camera.rays()[None] * np.float32(2)
        return LayeredWorld(points, mask[None], image, camera.K, "metric", metadata={"model": "spy-1", "steps": 4})


class ObjectOnlyEngine(SpyEngine):
    info = EngineInfo("narrow", "Narrow", "For tests.", modes=("object",))


class HungryEngine(SpyEngine):
    def trace(self, *arguments):
        raise MemoryError


@pytest.fixture
def opaque(tmp_path):
    """A 60x40 JPEG that says 35 mm of focal length."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[FOCAL_35MM] = 35
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "room.jpg", exif=exif)
    return tmp_path / "room.jpg"


def test_a_photo_becomes_a_world_that_says_where_it_comes_from(photo):
    world = trace_photo(TraceRequest(photo), create_engine("silhouette"))
    assert world.layers == 2
    assert world.valid[0].sum() == 20 * 25
    metadata = dict(world.metadata)
    assert len(metadata.pop("image_sha256")) == 64
    assert metadata.pop("mask_method")
    assert metadata == {
        "engine": "silhouette",
        "model": None,
        "steps": 0,
        "seed": 42,
        "mode": "object",
        "image": "box.png",
        "photo_size": [60, 40],
        "crop": [0, 0, 60, 40],
        "camera_source": "default",
        "settings": {"seed": 42, "resolution": 504, "fov_degrees": None, "extra": {}},
    }


def test_the_same_photo_gives_the_same_file_wherever_it_lies(photo, tmp_path):
    other = tmp_path / "elsewhere" / photo.name
    other.parent.mkdir()
    other.write_bytes(photo.read_bytes())
    files = [
        trace_photo(TraceRequest(path), create_engine("silhouette")).save(tmp_path / f"{index}.safetensors")
        for index, path in enumerate((photo, other))
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_engines_own_metadata_survives_and_a_name_replaces_the_files(photo):
    world = trace_photo(TraceRequest(photo, name="Box"), SpyEngine())
    assert {key: world.metadata[key] for key in ("engine", "model", "steps", "image")} == {
        "engine": "spy",
        "model": "spy-1",
        "steps": 4,
        "image": "Box",
    }
    assert world.scale == "metric"


def test_the_options_reach_the_engine(photo):
    engine = SpyEngine()
    trace_photo(TraceRequest(photo, seed=7, resolution=100, extra={"quality": "high"}), engine)
    assert (engine.options.seed, engine.options.resolution, engine.options.mode) == (7, 100, "object")
    assert engine.options.extra == {"quality": "high"}


def test_the_camera_is_the_given_one_then_the_files_then_the_default(photo, opaque):
    engine = SpyEngine()

    def camera(path, **values):
        world = trace_photo(TraceRequest(path, mode="scene", **values), engine)
        assert world.metadata["camera_source"] == engine.camera.source
        return engine.camera

    assert camera(photo) == Camera.from_fov(60, 40, DEFAULT_FOV_DEGREES, "default")
    assert camera(opaque) == Camera.from_focal_35mm(60, 40, 35)
    assert camera(opaque, fov_degrees=70) == Camera.from_fov(60, 40, 70, "given")
    assert camera(opaque, intrinsics=(50, 51, 29, 21)) == Camera(60, 40, 50, 51, 29, 21, "given")


def test_a_given_mask_is_what_is_traced(photo, tmp_path):
    mask = np.zeros((40, 60), np.uint8)
    mask[:, :30] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    engine = SpyEngine()
    trace_photo(TraceRequest(photo, mask=tmp_path / "mask.png"), engine)
    assert (engine.mask == (mask > 0)).all()
    assert "foreground" not in engine.options.extra


def test_a_mask_given_for_a_scene_reaches_the_engine_as_its_foreground(opaque, tmp_path):
    mask = np.zeros((40, 60), np.uint8)
    mask[25:38, 20:35] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    engine = SpyEngine()
    request = TraceRequest(opaque, mode="scene", mask=tmp_path / "mask.png")
    trace_photo(request, engine)
    assert (engine.options.extra["foreground"] == (mask > 0)).all()
    world = trace_photo(request, create_engine("silhouette"))
    assert world.layers == 3
    assert world.valid[0].all()


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"mode": "panorama"}, "WT-MODEL-OPTION"),
        ({"resolution": 31}, "WT-MODEL-OPTION"),
        ({"resolution": 4097}, "WT-MODEL-OPTION"),
        ({"seed": -1}, "WT-MODEL-OPTION"),
        ({"seed": 2**32}, "WT-MODEL-OPTION"),
        ({"fov_degrees": 200}, "WT-IMG-CAMERA"),
        ({"fov_degrees": float("nan")}, "WT-IMG-CAMERA"),
        ({"intrinsics": (-5, 5, 1, 1)}, "WT-IMG-CAMERA"),
        ({"fov_degrees": 50, "intrinsics": (50, 50, 30, 20)}, "WT-IMG-CAMERA"),
    ],
)
def test_values_that_no_engine_takes_are_refused(photo, values, code):
    with pytest.raises(WorldTracingError) as caught:
        trace_photo(TraceRequest(photo, **values), SpyEngine())
    assert caught.value.code == code
    assert caught.value.fix


def test_a_mode_that_the_engine_lacks_is_refused_with_those_it_has(photo):
    with pytest.raises(WorldTracingError, match=r"scene mode.*object.*WT-MODEL-OPTION"):
        trace_photo(TraceRequest(photo, mode="scene"), ObjectOnlyEngine())


def test_running_out_of_memory_is_said_in_a_sentence(photo):
    with pytest.raises(WorldTracingError, match="WT-MEM-TRACE"):
        trace_photo(TraceRequest(photo), HungryEngine())


@pytest.mark.parametrize("engine", ["wt-bundled", "silhouette"])
def test_a_world_without_a_point_is_an_error(tmp_path, engine):
    """A hair of one pixel, which is lost at the size that is traced."""
    pixels = np.zeros((400, 600, 4), np.uint8)
    pixels[200] = (200, 120, 40, 255)
    Image.fromarray(pixels).save(tmp_path / "hair.png")
    with pytest.raises(WorldTracingError) as caught:
        trace_photo(
            TraceRequest(tmp_path / "hair.png", engine=engine, mode="scene", resolution=64), create_engine(engine)
        )
    assert caught.value.code == "WT-MODEL-NO-POINTS"
    assert "64 x 43" in caught.value.message


def test_specks_and_pin_holes_are_gone_from_soft_alpha_too(tmp_path):
    """Else a speck in a corner would make an engine that crops around the object see the whole photo."""
    pixels = np.full((200, 300, 4), (200, 120, 40, 0), np.uint8)
    pixels[60:140, 100:200, 3] = 255
    pixels[59, 100:200, 3], pixels[140, 100:200, 3] = 200, 60
    pixels[100, 150, 3], pixels[2, 2, 3] = 0, 250
    Image.fromarray(pixels).save(tmp_path / "soft.png")
    spy = SpyEngine()
    trace_photo(TraceRequest(tmp_path / "soft.png"), spy)
    alpha = spy.options.extra["alpha"]
    assert alpha.dtype == np.uint8
    assert np.array_equal(alpha > 127, spy.mask)
    assert alpha[2, 2] == 0 and alpha[100, 150] == 255
    assert (alpha[59, 100:200] == 200).all() and (alpha[140, 100:200] == 60).all()
