"""Every kind of picture file, made on the fly, against the picture that went into it."""

import io
import struct

import numpy as np
import pytest
from pictures import HEIGHT, WIDTH, as_grey, assert_near, write_float_tiff
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from worldtracing.errors import WorldTracingError
from worldtracing.image import load_mask, load_photo
from worldtracing.srgb import srgb_to_linear


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.png", {}, 0),
        ("a.bmp", {}, 0),
        ("a.tif", {}, 0),
        ("a.tif", {"compression": "tiff_lzw"}, 0),
        ("a.tif", {"compression": "tiff_adobe_deflate"}, 0),
        ("a.webp", {"lossless": True}, 0),
        ("a.webp", {"quality": 95}, 20),
        ("a.jpg", {"quality": 98, "subsampling": 0}, 6),
        ("a.jpg", {"quality": 98, "subsampling": 0, "progressive": True}, 6),
        ("a.jp2", {}, 2),
        ("a.ppm", {}, 0),
    ],
)
def test_eight_bit_colour(tmp_path, rgb, name, options, tolerance):
    Image.fromarray(rgb).save(tmp_path / name, **options)
    photo = load_photo(tmp_path / name)
    assert_near(photo.rgb, rgb, tolerance)
    assert photo.alpha is None
    assert photo.source_size == (WIDTH, HEIGHT)
    assert photo.focal_35mm is None


def test_the_content_decides_and_not_the_name(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert_near(load_photo(tmp_path / "a.jpg").rgb, rgb, 0)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.bmp"])
def test_grey(tmp_path, grey, name):
    Image.fromarray(grey).save(tmp_path / name)
    assert_near(load_photo(tmp_path / name).rgb, as_grey(grey), 3 if name == "a.jpg" else 0)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.bmp"])
def test_one_bit(tmp_path, alpha, name):
    Image.fromarray(alpha > 127).save(tmp_path / name)
    assert_near(load_photo(tmp_path / name).rgb, as_grey(np.where(alpha > 127, 255, 0)), 0)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
def test_colour_with_alpha(tmp_path, rgb, alpha, name):
    options = {"lossless": True, "exact": True} if name == "a.webp" else {}
    Image.fromarray(np.dstack([rgb, alpha])).save(tmp_path / name, **options)
    photo = load_photo(tmp_path / name)
    assert_near(photo.rgb, rgb, 0)
    np.testing.assert_array_equal(photo.alpha, alpha)


def test_grey_with_alpha(tmp_path, grey, alpha):
    Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)]).save(tmp_path / "a.png")
    photo = load_photo(tmp_path / "a.png")
    assert_near(photo.rgb, as_grey(grey), 0)
    np.testing.assert_array_equal(photo.alpha, alpha)


def test_opaque_alpha_is_no_alpha(tmp_path, rgb):
    Image.fromarray(np.dstack([rgb, np.full((HEIGHT, WIDTH), 255, np.uint8)])).save(tmp_path / "a.png")
    assert load_photo(tmp_path / "a.png").alpha is None


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.bmp", "a.tif"])
def test_palette(tmp_path, rgb, name):
    picture = Image.fromarray(rgb).quantize(64)
    picture.save(tmp_path / name)
    assert_near(load_photo(tmp_path / name).rgb, np.array(picture.convert("RGB")), 0)


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_palette_with_a_transparent_entry(tmp_path, name):
    picture = Image.new("P", (WIDTH, HEIGHT), 1)
    picture.putpalette([0, 0, 0, 200, 100, 50])
    picture.paste(0, (0, 0, 10, HEIGHT))
    picture.save(tmp_path / name, transparency=0)
    photo = load_photo(tmp_path / name)
    assert (photo.alpha[:, :10] == 0).all() and (photo.alpha[:, 10:] == 255).all()
    assert (photo.rgb[:, 10:] == [200, 100, 50]).all()


def test_cmyk(tmp_path, rgb):
    picture = Image.fromarray(rgb).convert("CMYK")
    for name in ("a.tif", "a.jpg"):
        picture.save(tmp_path / name, quality=98, subsampling=0)
        assert_near(load_photo(tmp_path / name).rgb, rgb, 0 if name == "a.tif" else 8)


def test_lab(tmp_path, rgb):
    pastel = rgb // 4 + 100  # 8-bit Lab is coarse in saturated colours
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    ImageCms.profileToProfile(Image.fromarray(pastel), *profiles, outputMode="LAB").save(tmp_path / "a.tif")
    assert_near(load_photo(tmp_path / "a.tif").rgb, pastel, 3)


ORIENTATIONS = {  # how a stored picture with this EXIF orientation comes upright, in Pillow's words
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def stored_with_orientation(rgb, orientation):
    """The pixels as a camera would store them; a quarter turn is undone by the opposite one."""
    turn = ORIENTATIONS[{6: 8, 8: 6}.get(orientation, orientation)]
    return np.array(Image.fromarray(rgb) if turn is None else Image.fromarray(rgb).transpose(turn))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_exif_orientation(tmp_path, rgb, name, orientation):
    stored = Image.fromarray(stored_with_orientation(rgb, orientation))
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769)[0xA405] = 35
    if name == "a.tif":
        exif = ImageFileDirectory_v2()
        exif[0x0112], exif[0x8769] = orientation, {0xA405: 35}
        stored.save(tmp_path / name, tiffinfo=exif)
    else:
        stored.save(tmp_path / name, exif=exif, lossless=True, quality=98, subsampling=0)
    photo = load_photo(tmp_path / name)
    assert_near(photo.rgb, rgb, 8 if name == "a.jpg" else 0)
    assert photo.source_size == (WIDTH, HEIGHT)
    assert photo.focal_35mm == 35


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_orientation_of_a_tiff_that_only_opencv_reads(tmp_path, rgb, orientation):
    path = write_float_tiff(tmp_path / "a.tif", srgb_to_linear(stored_with_orientation(rgb, orientation)))
    content = path.read_bytes()
    (directory,) = struct.unpack("<I", content[4:8])
    (count,) = struct.unpack("<H", content[directory : directory + 2])
    entries = [content[directory + 2 + 12 * i :][:12] for i in range(count)]
    entries = [entry for entry in entries if entry[:2] != struct.pack("<H", 0x0112)]
    entries = sorted([*entries, struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)], key=lambda entry: entry[1::-1])
    moved = content + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)
    path.write_bytes(moved[:4] + struct.pack("<I", len(content)) + moved[8:])
    photo = load_photo(path)
    assert_near(photo.rgb, rgb, 0)
    assert photo.source_size == (WIDTH, HEIGHT)


def test_a_wide_gamut_profile_is_converted(tmp_path, rgb):
    """A profile with red and green exchanged: only a reader that uses it gets the colours right."""
    swapped = swapped_primaries_profile()
    Image.fromarray(rgb[..., [1, 0, 2]]).save(tmp_path / "a.png", icc_profile=swapped)
    assert_near(load_photo(tmp_path / "a.png").rgb, rgb, 2)
    rgba = np.dstack([rgb[..., [1, 0, 2]], np.full((HEIGHT, WIDTH), 128, np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "b.png", icc_profile=swapped)
    photo = load_photo(tmp_path / "b.png")
    assert_near(photo.rgb, rgb, 2)
    assert (photo.alpha == 128).all()


def swapped_primaries_profile():
    """sRGB's own profile with its red and green primaries exchanged."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = content.find(b"rXYZ"), content.find(b"gXYZ")
    content[red : red + 4], content[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(content)


@pytest.mark.parametrize("profile", [b"not a profile", b""])
def test_a_broken_profile_is_ignored(tmp_path, rgb, profile):
    Image.fromarray(rgb).save(tmp_path / "a.png", icc_profile=profile)
    assert_near(load_photo(tmp_path / "a.png").rgb, rgb, 0)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_of_an_animation_the_first_frame_is_used(tmp_path, name):
    frames = [Image.new("RGB", (WIDTH, HEIGHT), colour) for colour in ((200, 0, 0), (0, 200, 0))]
    options = {"lossless": True} if name == "a.webp" else {}
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], **options)
    assert (load_photo(tmp_path / name).rgb == [200, 0, 0]).all()


def test_masks(tmp_path, rgb, alpha):
    expected = alpha > 127
    Image.fromarray(alpha).save(tmp_path / "grey.png")
    Image.fromarray(np.dstack([rgb, alpha])).save(tmp_path / "alpha.png")
    Image.fromarray(alpha.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(expected).save(tmp_path / "bit.png")
    opaque = np.dstack([as_grey(alpha), np.full_like(alpha, 128)])
    Image.fromarray(opaque).save(tmp_path / "constant-alpha.png")
    for path in sorted(tmp_path.iterdir()):
        np.testing.assert_array_equal(load_mask(path, WIDTH, HEIGHT), expected, err_msg=path.name)
    doubled = load_mask(tmp_path / "grey.png", 2 * WIDTH, 2 * HEIGHT)
    np.testing.assert_array_equal(doubled, expected.repeat(2, 0).repeat(2, 1))
    assert load_mask(tmp_path / "grey.png", 7, 5).shape == (5, 7)
    for shape in ((HEIGHT, WIDTH), (2 * WIDTH, HEIGHT + 4)):
        with pytest.raises(WorldTracingError, match="WT-IMG-MASK-SIZE"):
            load_mask(tmp_path / "grey.png", *shape)


def test_a_stream_of_exif_rubbish_is_ignored(tmp_path, rgb):
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", exif=b"Exif\0\0MM\0\x2a\0\0\0\x08\xff\xff" + bytes(range(200)))
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    assert load_photo(tmp_path / "a.jpg").focal_35mm is None
