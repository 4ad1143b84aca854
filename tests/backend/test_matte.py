import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from worldtracing.errors import WorldTracingError
from worldtracing.image import load_photo
from worldtracing.matte import find_foreground
from worldtracing.regions import dilate

HEIGHT, WIDTH = 120, 160
COFFEE = Path(__file__).parents[2] / "examples" / "coffee.jpg"


def disc(radius=35, center=(62, 85)):
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    return (v - center[0]) ** 2 + (u - center[1]) ** 2 <= radius**2


def on_background(mask, background, seed=0):
    """A shaded red object before a background, with a little noise."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    shade = np.stack([150 + u / 2, 30 + v / 3, 40 + v / 4], -1)
    picture = np.where(mask[..., None], shade, background)
    noise = np.random.default_rng(seed).normal(0, 1.5, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def gradient():
    """A studio backdrop: no single color, and none of the object's."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([110 + v / 2, 120 + v / 2 + u / 8, 140 + v / 2], -1)


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def code_of(*arguments):
    with pytest.raises(WorldTracingError) as caught:
        find_foreground(*arguments)
    assert caught.value.fix
    return caught.value.code


@pytest.mark.parametrize("color", [(255, 255, 255), (0, 0, 0), (128, 128, 128), (20, 180, 60)])
def test_a_plain_background_of_any_color(color):
    result = find_foreground(on_background(disc(), np.array(color)), None, "object")
    assert result.method == "plain-background"
    assert result.mask.shape == (HEIGHT, WIDTH) and result.mask.dtype == bool
    assert overlap(result.mask, disc()) > 0.98


def test_white_parts_of_an_object_before_white_stay():
    rgb = on_background(disc(), np.array([255, 255, 255]))
    rgb[50:70, 75:100] = 255
    result = find_foreground(rgb, None, "object")
    assert result.method == "plain-background"
    assert overlap(result.mask, disc()) > 0.98


def test_a_grey_background_is_seen_through_a_handle():
    ring = disc(35) & ~disc(20)
    result = find_foreground(on_background(ring, np.array([128, 128, 128])), None, "object")
    assert overlap(result.mask, ring) > 0.97


def test_a_plain_background_may_be_touched_by_the_object():
    mask = disc(40, (100, 85))
    result = find_foreground(on_background(mask, np.array([240, 240, 240])), None, "object")
    assert result.method == "plain-background"
    assert overlap(result.mask, mask) > 0.97


def test_specks_and_pin_holes_are_removed():
    rgb = on_background(disc(), np.array([255, 255, 255]))
    rgb[5:8, 5:8] = 0
    alpha = np.where(disc(), 255, 0).astype(np.uint8)
    alpha[60:62, 80:82] = 0
    alpha[2, 2] = 255
    np.testing.assert_array_equal(find_foreground(rgb, alpha, "object").mask, disc())
    assert not find_foreground(rgb, None, "object").mask[:10, :10].any()


def test_alpha_comes_before_the_background():
    rgb = on_background(disc(), np.array([255, 255, 255]))
    other = disc(20, (40, 40))
    result = find_foreground(rgb, np.where(other, 200, 90).astype(np.uint8), "object")
    assert result.method == "alpha"
    np.testing.assert_array_equal(result.mask, other)


def test_alpha_that_cuts_nothing_out_is_passed_over():
    rgb = on_background(disc(), np.array([255, 255, 255]))
    assert find_foreground(rgb, np.full((HEIGHT, WIDTH), 200, np.uint8), "object").method == "plain-background"


def test_a_given_mask_is_taken_as_it_is():
    given = np.zeros((HEIGHT, WIDTH), bool)
    given[3, 3] = given[50:90, 20:60] = True
    alpha = np.where(disc(), 255, 0).astype(np.uint8)
    for mode in ("object", "scene"):
        result = find_foreground(on_background(disc(), gradient()), alpha, mode, given)
        assert result.method == "given"
        np.testing.assert_array_equal(result.mask, given)


def test_scene_mode_takes_everything_but_what_alpha_cuts_out():
    rgb = on_background(disc(), np.array([255, 255, 255]))
    result = find_foreground(rgb, None, "scene")
    assert result.method == "everything" and result.mask.all()
    alpha = np.where(disc(), 0, 255).astype(np.uint8)
    result = find_foreground(rgb, alpha, "scene")
    assert result.method == "everything"
    np.testing.assert_array_equal(result.mask, ~disc())


@pytest.fixture(params=["grabcut", "grabcut-numpy"])
def method(request, monkeypatch):
    """Either way to GrabCut; the name that it gives itself."""
    if request.param == "grabcut":
        pytest.importorskip("cv2")
    else:
        monkeypatch.setitem(sys.modules, "cv2", None)
    return request.param


def test_grabcut_before_a_gradient(method):
    rgb = on_background(disc(), gradient())
    result = find_foreground(rgb, None, "object")
    assert result.method == method
    assert overlap(result.mask, disc()) > 0.97
    np.testing.assert_array_equal(find_foreground(rgb, None, "object").mask, result.mask)


def test_grabcut_takes_two_objects_and_sees_through_their_holes(method):
    hole = disc(8, (50, 45))
    mask = (disc(22, (50, 45)) & ~hole) | disc(22, (70, 115))
    result = find_foreground(on_background(mask, gradient()), None, "object")
    assert overlap(result.mask, mask) > 0.95
    assert not result.mask[50, 45]


def test_grabcut_leaves_scattered_clutter_out(method):
    rng = np.random.default_rng(3)
    background = gradient()
    for _ in range(14):  # blobs unlike each other: the border knows the colors of few
        v, u = rng.integers(12, HEIGHT - 12), rng.choice([rng.integers(12, 34), rng.integers(WIDTH - 26, WIDTH - 12)])
        background[disc(4, (v, u))] = rng.integers(0, 256, 3)
    result = find_foreground(on_background(disc(), background), None, "object")
    assert overlap(result.mask, disc()) > 0.9


def test_grabcut_finds_an_object_that_fills_the_picture(method):
    mask = (
        disc(54, (60, 80)) | (np.abs(np.arange(WIDTH) - 80) < 70)[None] & (np.abs(np.arange(HEIGHT) - 60) < 40)[:, None]
    )
    result = find_foreground(on_background(mask, gradient()), None, "object")
    assert overlap(result.mask, mask) > 0.95


def test_the_example_photo_is_cut_out_whole(method):
    photo = load_photo(COFFEE)
    mask = find_foreground(photo.rgb, None, "object").mask
    for part, (v, u) in {
        "coffee": (180, 280), "dark side of the cup": (215, 190), "handle": (270, 222), "spoon": (285, 360),
        "saucer, left": (210, 110), "saucer, right": (230, 440), "shadow on the saucer": (340, 280),
    }.items():  # fmt: skip
        assert mask[v, u], part
    assert not mask[:, :40].any() and not mask[:, -60:].any()


def test_grabcut_in_numpy_cuts_as_opencv_does(monkeypatch):
    pytest.importorskip("cv2")
    photo = load_photo(COFFEE)
    expected = find_foreground(photo.rgb, None, "object")
    monkeypatch.setitem(sys.modules, "cv2", None)
    result = find_foreground(photo.rgb, None, "object")
    assert (expected.method, result.method) == ("grabcut", "grabcut-numpy")
    assert overlap(result.mask, expected.mask) > 0.99


def test_a_large_picture_is_matted_on_a_copy_and_comes_back_at_its_size(method):
    mask = disc()
    scale = 12
    rgb = on_background(mask, gradient()).repeat(scale, 0).repeat(scale, 1)
    result = find_foreground(rgb, None, "object")
    large = mask.repeat(scale, 0).repeat(scale, 1)
    assert result.mask.shape == large.shape
    assert not (result.mask & ~dilate(large, 3 * scale)).any()
    assert overlap(result.mask, large) > 0.93


def test_grabcut_gives_the_same_mask_in_another_process(tmp_path, method):
    rgb = on_background(disc(), gradient())
    np.save(tmp_path / "rgb.npy", rgb)
    script = (
        "import sys; sys.modules.update({'cv2': None} if sys.argv[3] == 'grabcut-numpy' else {});"
        "import numpy as np; from worldtracing.matte import find_foreground;"
        "np.save(sys.argv[2], find_foreground(np.load(sys.argv[1]), None, 'object').mask)"
    )
    paths = [tmp_path / "rgb.npy", tmp_path / "mask.npy"]
    subprocess.run([sys.executable, "-c", script, *paths, method], check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "mask.npy"), find_foreground(rgb, None, "object").mask)


def test_an_empty_mask_is_refused():
    rgb = on_background(disc(), gradient())
    nothing = np.zeros((HEIGHT, WIDTH), bool)
    assert code_of(rgb, None, "object", nothing) == "WT-IMG-EMPTY-MASK"
    assert code_of(rgb, nothing.astype(np.uint8), "object") == "WT-IMG-EMPTY-MASK"
    assert code_of(rgb, nothing.astype(np.uint8), "scene") == "WT-IMG-EMPTY-MASK"
    assert code_of(np.full_like(rgb, 90), None, "object") == "WT-IMG-EMPTY-MASK"


def test_a_mask_of_everything_is_refused_in_object_mode():
    rgb = on_background(disc(), gradient())
    everything = np.ones((HEIGHT, WIDTH), bool)
    assert code_of(rgb, None, "object", everything) == "WT-IMG-FULL-MASK"
    assert find_foreground(rgb, None, "scene", everything).mask.all()


def test_a_mask_of_another_size_is_refused():
    assert code_of(on_background(disc(), gradient()), None, "object", np.ones((3, 4), bool)) == "WT-IMG-MASK-SIZE"


@pytest.mark.parametrize("shape", [(16, 16), (16, 700), (701, 17)])
def test_the_smallest_and_narrowest_pictures_pass(shape, method):
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    try:
        assert find_foreground(rgb, None, "object").mask.shape == shape
    except WorldTracingError as error:
        assert error.code in ("WT-IMG-EMPTY-MASK", "WT-IMG-FULL-MASK")
