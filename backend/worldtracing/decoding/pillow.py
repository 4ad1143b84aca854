"""Everything that Pillow reads: PNG, JPEG, WebP, TIFF, BMP and some more."""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..errors import WorldTracingError
from ..extras import need
from .common import MAX_PIXELS, Decoded, check_size, damaged, integers_to_8_bit, to_srgb8, unreadable, upright

# Formats with a clear signature; Pillow's readers of EPS and the like would start other programs.
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
ORIENTATION, EXIF_IFD, FOCAL_35MM = 0x0112, 0x8769, 0xA405
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339  # TIFF tags
WHITE_IS_ZERO, SIGNED = 0, 2

_pillow_settings = threading.Lock()


def decode(path: Path) -> Decoded:
    """The first frame of a picture file.

    Raises:
        WorldTracingError: WT-ENV-PACKAGE without Pillow, WT-IMG-UNREADABLE, WT-IMG-DAMAGED, WT-IMG-BOMB, WT-IMG-NAN.
    """
    Image = need("PIL.Image", "image", "read picture files")
    Image.init()
    try:
        with _own_limits(Image), Image.open(path, formats=[name for name in FORMATS if name in Image.OPEN]) as image:
            width, height = image.size
            check_size(path, width, height)
            _draft(image)
            image.load()
            orientation, focal = _exif(image)
            rgb, alpha = _arrays(path, image)
    except (WorldTracingError, MemoryError):
        raise
    except Image.UnidentifiedImageError as error:
        raise unreadable(path) from error
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        raise damaged(path, error) from error
    size = (height, width) if orientation >= 5 else (width, height)
    return Decoded(upright(rgb, orientation), None if alpha is None else upright(alpha, orientation), size, focal)


@contextlib.contextmanager
def _own_limits(Image) -> Iterator[None]:
    """Pillow without its global pixel limit, as `check_size` has a stricter one, and without its warnings."""
    with _pillow_settings, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _draft(image) -> None:
    """Let a JPEG decode at 1/2 or 1/4 where it is far too large; other formats ignore this."""
    width, height = image.size
    for factor in (4, 2):
        if width * height > MAX_PIXELS * factor * factor / 4:
            image.draft(None, (width // factor, height // factor))
            return


def _exif(image) -> tuple[int, float | None]:
    """Orientation (1 to 8) and 35 mm equivalent focal length; damaged EXIF counts as none."""
    try:
        exif = image.getexif()  # after load(): Pillow turns a TIFF itself and drops its orientation
        orientation = int(exif.get(ORIENTATION, 1))
        focal = float(exif.get_ifd(EXIF_IFD).get(FOCAL_35MM, 0))
    except Exception:
        return 1, None
    return orientation if 1 <= orientation <= 8 else 1, focal if 1 <= focal <= 10_000 else None


def _arrays(path: Path, image) -> tuple[np.ndarray, np.ndarray | None]:
    """(H, W, 3) uint8 sRGB and, where there is one, (H, W) uint8 alpha."""
    if image.mode == "F" or image.mode.startswith("I"):
        grey = _deep_grey(path, image)
        return np.repeat(grey[..., None], 3, axis=2), None
    has_alpha = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    if has_alpha and image.mode not in ("LA", "RGBA"):
        image = image.convert("RGBA")
    alpha = np.array(image.getchannel("A")) if has_alpha else None
    return np.array(_to_srgb(image)), alpha


def _deep_grey(path: Path, image) -> np.ndarray:
    """One channel of 16 or 32 bits, which Pillow's own conversion would clip, to (H, W) uint8 sRGB."""
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {})
    if image.mode == "F":
        return to_srgb8(path, values)
    bits = tags.get(BITS_PER_SAMPLE, (16,))[0]
    signed = tags.get(SAMPLE_FORMAT, (1,))[0] == SIGNED
    values = values.astype(np.int64) if signed else values.astype(np.int64) & (2**bits - 1)  # mode "I" is signed
    grey = np.clip(values / (2 ** (bits - signed) - 1), 0, 1)
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        grey = 1 - grey
    return integers_to_8_bit(np.rint(grey * 65535).astype(np.uint16))


def _to_srgb(image):
    """An 8-bit picture of any mode as RGB, through its ICC profile if it carries a usable one."""
    if image.mode in ("1", "LA"):
        image = image.convert("L")
    elif image.mode not in ("L", "RGB", "CMYK", "LAB"):
        image = image.convert("RGB")
    profile = image.info.get("icc_profile")
    if profile or image.mode == "LAB":
        from PIL import ImageCms

        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("LAB")
            if image.mode == "L" and source.profile.xcolor_space.strip() == "RGB":
                image = image.convert("RGB")
            return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            if image.mode == "LAB":
                raise
            # A broken profile, or one for another kind of picture: the numbers are taken as sRGB.
    return image.convert("RGB")
