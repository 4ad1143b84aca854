"""OpenCV camera frames and Blender's, the one place that converts between them.

OpenCV: x right, y down, z forward, pixel centres at +0.5. A traced world in Blender: x right, y forward, z up, the
eye at the origin of the world's root. A Blender camera looks along its own -z, so the matched one is turned by
+90 degrees about x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SENSOR_MM = 36.0


def to_blender(points: np.ndarray) -> np.ndarray:
    """(..., 3) OpenCV camera-space points as Blender's (x, z, -y), same dtype, a new array."""
    turned = np.empty_like(points)
    turned[..., 0] = points[..., 0]
    turned[..., 1] = points[..., 2]
    np.negative(points[..., 1], out=turned[..., 2])
    return turned


def to_opencv(points: np.ndarray) -> np.ndarray:
    """The inverse of `to_blender`."""
    turned = np.empty_like(points)
    turned[..., 0] = points[..., 0]
    np.negative(points[..., 2], out=turned[..., 1])
    turned[..., 2] = points[..., 1]
    return turned


@dataclass(frozen=True)
class Lens:
    """A Blender camera and pixel aspect that see what K sees.

    Attributes:
        sensor_fit: "HORIZONTAL" or "VERTICAL"; `SENSOR_MM` is the sensor's size along it.
        focal_mm: focal length in millimetres.
        shift_x, shift_y: lens shift in multiples of the picture's longer side.
        aspect_x, aspect_y: shape of a pixel, both at least 1 as Blender wants them.
    """

    sensor_fit: str
    focal_mm: float
    shift_x: float
    shift_y: float
    aspect_x: float
    aspect_y: float

    @classmethod
    def from_K(cls, K: np.ndarray, width: int, height: int) -> Lens:  # noqa: N802
        """The lens for K, (3, 3) in pixels of a `width` x `height` picture."""
        fx, fy, cx, cy = K[0, 0], K[1, 1], K[0, 2], K[1, 2]
        tallness = fx / fy  # of a pixel, in widths of a pixel
        wide = width >= height * tallness
        longer = width if wide else height * tallness
        return cls(
            sensor_fit="HORIZONTAL" if wide else "VERTICAL",
            focal_mm=float(fx * SENSOR_MM / longer),
            shift_x=float((width / 2 - cx) / longer),
            shift_y=float((cy - height / 2) * tallness / longer),
            aspect_x=float(max(1.0, 1.0 / tallness)),
            aspect_y=float(max(1.0, tallness)),
        )

    def to_K(self, width: int, height: int) -> np.ndarray:  # noqa: N802
        """The (3, 3) float64 camera matrix of this lens for a `width` x `height` picture."""
        tallness = self.aspect_y / self.aspect_x
        longer = width if self.sensor_fit == "HORIZONTAL" else height * tallness
        fx = self.focal_mm * longer / SENSOR_MM
        cx = width / 2 - self.shift_x * longer
        cy = height / 2 + self.shift_y * longer / tallness
        return np.array([[fx, 0, cx], [0, fx / tallness, cy], [0, 0, 1]], np.float64)


@dataclass(frozen=True, eq=False)
class Frame:
    """The picture that the matched camera takes, and where the traced pixels lie in it.

    Attributes:
        width, height: pixels.
        K: (3, 3) float64 in those pixels.
        window: (x0, y0, x1, y1), the traced picture's outline in those pixels.
    """

    width: int
    height: int
    K: np.ndarray
    window: tuple[float, float, float, float]

    @classmethod
    def of_traced(cls, K: np.ndarray, width: int, height: int) -> Frame:
        """The traced picture itself."""
        return cls(width, height, np.asarray(K, np.float64), (0.0, 0.0, float(width), float(height)))

    @classmethod
    def of_photo(
        cls,
        K: np.ndarray,
        traced_size: tuple[int, int],
        photo_size: tuple[int, int],
        crop: tuple[float, float, float, float] | None,
    ) -> Frame | None:
        """The whole photo, of which the traced picture shows `crop` (x0, y0, x1, y1); None stands for all of it.

        Sizes are (width, height). Returns None where the photo cannot be the one that was traced: the crop does not
        touch it, or there is no crop and the two differ in shape.
        """
        width, height = photo_size
        x0, y0, x1, y1 = map(float, crop if crop is not None else (0, 0, width, height))
        if crop is None and abs(width * traced_size[1] - height * traced_size[0]) > max(width, height):
            return None  # more than a pixel's rounding apart
        if x1 <= x0 or y1 <= y0 or x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
            return None
        scale = np.diag([(x1 - x0) / traced_size[0], (y1 - y0) / traced_size[1], 1.0])
        photo_K = scale @ np.asarray(K, np.float64)
        photo_K[:2, 2] += (x0, y0)
        return cls(width, height, photo_K, (x0, y0, x1, y1))

    def reach(self, depth: float) -> tuple[float, float]:
        """How far left and right of the eye the picture reaches at `depth`, along Blender's x."""
        return tuple(float((column - self.K[0, 2]) / self.K[0, 0] * depth) for column in (0, self.width))

    def uv_window(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """UV of the traced picture's bottom left and top right corner; v runs up, as Blender's images do."""
        x0, y0, x1, y1 = self.window
        return (x0 / self.width, 1 - y1 / self.height), (x1 / self.width, 1 - y0 / self.height)
