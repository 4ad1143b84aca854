import subprocess
import sys

import numpy as np
import pytest

from worldtracing import matte
from worldtracing.errors import WorldTracingError
from worldtracing.matte import find_foreground
from worldtracing.regions import dilate

HEIGHT, WIDTH = 120, 160


def disc(radius=35, centre=(62, 85)):
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    return (v - centre[0]) ** 2 + (u - centre[1]) ** 2 <= radius**2


def on_background(mask, background, seed=0):
    """A shaded red object before a background, with a little noise."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    shade = np.stack([150 + u / 2, 30 + v / 3, 40 + v / 4], -1)
    picture = np.where(mask[..., None], shade, background)
    noise = np.random.default_rng(seed).normal(0, 1.5, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def gradient():
    """A studio backdrop: no single colour, and none of the object's."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([110 + v / 2, 120 + v / 2 + u / 8, 140 + v / 2], -1)


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def code_of(*arguments):
    with pytest.raises(WorldTracingError) as caught:
        find_foreground(*arguments)
    assert caught.value.fix
    return caught.value.code


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (128, 128, 128), (20, 180, 60)])
def test_a_plain_background_of_any_colour(colour):
    result = find_foreground(on_background(disc(), np.array(colour)), None, "object")
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


def test_grabcut_before_a_gradient():
    pytest.importorskip("cv2")
    rgb = on_background(disc(), gradient())
    result = find_foreground(rgb, None, "object")
    assert result.method == "grabcut"
    assert overlap(result.mask, disc()) > 0.95
    np.testing.assert_array_equal(find_foreground(rgb, None, "object").mask, result.mask)


def test_the_colour_model_without_opencv(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    rgb = on_background(disc(), gradient())
    result = find_foreground(rgb, None, "object")
    assert result.method == "border-colours"
    assert overlap(result.mask, disc()) > 0.95
    np.testing.assert_array_equal(find_foreground(rgb, None, "object").mask, result.mask)


def test_the_colour_model_has_two_objects_and_their_holes_filled():
    mask = disc(22, (50, 45)) | disc(22, (70, 115))
    rgb = on_background(mask, gradient())
    hole = disc(8, (50, 45))
    rgb[hole] = gradient()[hole].astype(np.uint8)
    assert overlap(matte.border_colours(rgb), mask) > 0.93


def test_a_large_picture_is_matted_on_a_copy_and_comes_back_at_its_size():
    pytest.importorskip("cv2")
    mask = disc()
    scale = 12
    rgb = on_background(mask, gradient()).repeat(scale, 0).repeat(scale, 1)
    result = find_foreground(rgb, None, "object")
    large = mask.repeat(scale, 0).repeat(scale, 1)
    assert result.mask.shape == large.shape
    assert not (result.mask & ~dilate(large, 3 * scale)).any()
    assert overlap(result.mask, large) > 0.93


def test_grabcut_gives_the_same_mask_in_another_process(tmp_path):
    pytest.importorskip("cv2")
    rgb = on_background(disc(), gradient())
    np.save(tmp_path / "rgb.npy", rgb)
    script = (
        "import sys, numpy as np; from worldtracing.matte import find_foreground;"
        "np.save(sys.argv[2], find_foreground(np.load(sys.argv[1]), None, 'object').mask)"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "rgb.npy", tmp_path / "mask.npy"], check=True)
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
def test_the_smallest_and_narrowest_pictures_pass(shape, monkeypatch):
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for blocked in (False, True):
        if blocked:
            monkeypatch.setitem(sys.modules, "cv2", None)
        try:
            assert find_foreground(rgb, None, "object").mask.shape == shape
        except WorldTracingError as error:
            assert error.code in ("WT-IMG-EMPTY-MASK", "WT-IMG-FULL-MASK")
