"""Pinhole cameras in the OpenCV convention, the only place that knows it.

Camera frame: x right, y down, z forward, the eye at the origin. Pixel (column u, row v) covers [u, u+1) x [v, v+1),
so its centre is (u + 0.5, v + 0.5). K maps camera space to pixels: u = fx X/Z + cx, v = fy Y/Z + cy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .errors import WorldTracingError

DEFAULT_FOV_DEGREES = 49.1
"""Horizontal field of view assumed for a photo that does not tell; the object protocol's camera."""

FULL_FRAME_DIAGONAL_MM = math.hypot(36.0, 24.0)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera for a picture of `width` x `height` pixels.

    Attributes:
        fx, fy: focal lengths in pixels.
        cx, cy: principal point in pixels, pixel centres at +0.5.
        source: where the numbers come from: "given", "exif", "default" or "solved".
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    source: str = "given"

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy)
        if not all(map(math.isfinite, values)) or min(self.fx, self.fy) <= 0 or min(self.width, self.height) < 1:
            raise WorldTracingError(
                "WT-IMG-CAMERA",
                f"The camera (fx, fy, cx, cy) = {values} for {self.width}x{self.height} pixels is not usable.",
                "Give positive focal lengths in pixels, or a field of view between 1 and 170 degrees.",
            )

    @classmethod
    def from_fov(cls, width: int, height: int, fov_degrees: float, source: str = "given") -> Camera:
        """A centred camera with square pixels from its horizontal field of view in degrees."""
        if not 1.0 <= fov_degrees <= 170.0:
            raise WorldTracingError(
                "WT-IMG-CAMERA",
                f"A field of view of {fov_degrees:g} degrees is not possible.",
                "Give the horizontal field of view, between 1 and 170 degrees.",
            )
        focal = 0.5 * width / math.tan(math.radians(fov_degrees) / 2)
        return cls(width, height, focal, focal, width / 2, height / 2, source)

    @classmethod
    def from_focal_35mm(cls, width: int, height: int, focal_mm: float) -> Camera:
        """A centred camera from EXIF's 35 mm equivalent focal length, which compares picture diagonals."""
        focal = focal_mm / FULL_FRAME_DIAGONAL_MM * math.hypot(width, height)
        return cls(width, height, focal, focal, width / 2, height / 2, "exif")

    @classmethod
    def from_K(cls, K: np.ndarray, width: int, height: int, source: str = "given") -> Camera:  # noqa: N802
        """A camera from its 3x3 matrix in pixels."""
        return cls(width, height, float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2]), source)

    @property
    def K(self) -> np.ndarray:  # noqa: N802
        """The 3x3 float64 matrix in pixels."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], np.float64)

    @property
    def fov_x_degrees(self) -> float:
        """Horizontal field of view of a centred camera of this focal length."""
        return math.degrees(2 * math.atan(self.width / (2 * self.fx)))

    def resized(self, width: int, height: int) -> Camera:
        """The same camera for the picture resampled to `width` x `height`."""
        sx, sy = width / self.width, height / self.height
        return Camera(width, height, self.fx * sx, self.fy * sy, self.cx * sx, self.cy * sy, self.source)

    def cropped(self, x0: int, y0: int, width: int, height: int) -> Camera:
        """The same camera for the window of the picture whose top-left pixel is (x0, y0); may lie outside."""
        return Camera(width, height, self.fx, self.fy, self.cx - x0, self.cy - y0, self.source)

    def rays(self) -> np.ndarray:
        """Viewing rays through the pixel centres, (H, W, 3) float32 with z = 1: a point is ray * depth."""
        u = (np.arange(self.width, dtype=np.float64) + 0.5 - self.cx) / self.fx
        v = (np.arange(self.height, dtype=np.float64) + 0.5 - self.cy) / self.fy
        rays = np.ones((self.height, self.width, 3), np.float32)
        rays[..., 0] = u[None, :]
        rays[..., 1] = v[:, None]
        return rays

    def project(self, points: np.ndarray) -> np.ndarray:
        """Pixel coordinates (..., 2) float64 of camera-space points (..., 3)."""
        points = np.asarray(points, np.float64)
        z = points[..., 2]
        return np.stack([self.fx * points[..., 0] / z + self.cx, self.fy * points[..., 1] / z + self.cy], -1)


def intrinsics_from_points(points: np.ndarray, valid: np.ndarray) -> np.ndarray | None:
    """Least-squares K of a point map, as two independent fits u = fx X/Z + cx and v = fy Y/Z + cy.

    Args:
        points: (H, W, 3) camera-space points of layer 0.
        valid: (H, W) bool.

    Returns:
        (3, 3) float32, or None with fewer than ten usable points or a degenerate fit.
    """
    use = valid & (points[..., 2] > 1e-6) & np.isfinite(points).all(-1)
    if use.sum() < 10:
        return None
    rows, columns = np.nonzero(use)
    x, y, z = points[use].astype(np.float64).T
    K = np.eye(3)
    for axis, (slope, pixels) in enumerate(((x / z, columns + 0.5), (y / z, rows + 0.5))):
        A = np.stack([slope, np.ones_like(slope)], 1)
        (K[axis, axis], K[axis, 2]), _, rank, _ = np.linalg.lstsq(A, pixels, rcond=None)
        if rank < 2:
            return None
    return K.astype(np.float32) if K[0, 0] > 0 and K[1, 1] > 0 else None
