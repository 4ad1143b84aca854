"""Rounded shapes from outlines: the Poisson equation on a mask, by conjugate gradients with a multigrid preconditioner.

With Laplacian u = -4 and u = 0 outside, a disk of radius R has u = R^2 - r^2, whose root is the hemisphere.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .progress import OnProgress, silent
from .regions import erode, label_components

RELATIVE_RESIDUAL = 1e-4
MAX_ITERATIONS = 60
RIM_PIXELS = 4
RIM_SLOPE = 2.0
STAGE = "Inflating the outline"
PROGRESS_STEPS = 20
COARSEST_SIDE = 8
COARSEST_SWEEPS = 24
JACOBI_STEP = 0.2  # damping 0.8, the smoother's best on a 5-point stencil, over its diagonal of 4


def inflate(mask: np.ndarray, on_progress: OnProgress = silent) -> np.ndarray:
    """Half the thickness of the solid that a silhouette suggests.

    Each component is as thick as it is wide at its thickest place: exact for disks, ellipses and long bars, but for
    the outermost RIM_PIXELS, which are drawn in so that front and back meet.

    Args:
        mask: (H, W) bool.

    Returns:
        (H, W) float64 heights in pixels, 0 outside the mask.
    """
    u = solve_poisson(mask, on_progress)
    labels, count = label_components(mask)
    return _close_rim(np.sqrt(u * _roundness(u, labels, count)[labels]), mask)


def solve_poisson(mask: np.ndarray, on_progress: OnProgress = silent) -> np.ndarray:
    """The u >= 0 with Laplacian u = -4 on the mask (5-point stencil, unit pixels) and u = 0 off it.

    Returns:
        (H, W) float64.
    """
    solution = np.zeros(mask.shape)
    if not mask.any():
        return solution
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    window = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    masks = _mask_pyramid(mask[window])
    height, width = mask[window].shape
    u = _conjugate_gradients(masks, on_progress)
    solution[window] = u[1 : height + 1, 1 : width + 1].clip(0)
    return solution


def _mask_pyramid(mask: np.ndarray) -> list[np.ndarray]:
    """Masks as float32 from fine to coarse, each every second point of the one before, ringed by zeros."""
    levels = max(0, math.floor(math.log2(max(mask.shape) / COARSEST_SIDE)))
    # Sides of a multiple of this plus one keep the points of all levels on top of each other.
    cell = 2**levels
    finest = np.pad(mask, [(1, cell - side % cell) for side in mask.shape]).astype(np.float32)
    pyramid = [np.ascontiguousarray(finest[:: 2**k, :: 2**k]) for k in range(levels + 1)]
    return [level for level in pyramid if level.any()]


def _conjugate_gradients(masks: list[np.ndarray], on_progress: OnProgress) -> np.ndarray:
    """Solve stencil(u) = 4 on the finest mask, in float64 around a float32 preconditioner.

    Sums avoid BLAS, whose threads may reorder them between runs.
    """
    u = np.zeros(masks[0].shape)
    residual = 4.0 * masks[0].astype(np.float64)
    goal = math.log(RELATIVE_RESIDUAL)
    start = norm = math.sqrt((residual * residual).sum())
    direction, energy = np.zeros_like(u), 1.0
    for _ in range(MAX_ITERATIONS):
        done = min(1.0, math.log(norm / start) / goal)
        if done == 1.0:
            break
        step = int(PROGRESS_STEPS * max(0.0, done))
        correction = _v_cycle(
            masks, residual.astype(np.float32), lambda step=step: on_progress(STAGE, step, PROGRESS_STEPS)
        )
        previous, energy = energy, (residual * correction).sum()
        direction *= energy / previous
        direction += correction
        applied = _stencil(direction, masks[0])
        length = energy / (direction * applied).sum()
        u += length * direction
        applied *= length
        residual -= applied
        norm = max(math.sqrt((residual * residual).sum()), start * RELATIVE_RESIDUAL**2)
    return u


def _v_cycle(masks: list[np.ndarray], b: np.ndarray, tick: Callable[[], None]) -> np.ndarray:
    """One symmetric multigrid cycle from zero for stencil(x) = b: an approximate inverse."""
    tick()
    mask = masks[0]
    x = JACOBI_STEP * b  # the first sweep, from zero
    if len(masks) == 1:
        return _smooth(x, b, mask, COARSEST_SWEEPS)
    x = _smooth(x, b, mask, 1)
    # Restriction is the transpose of prolongation, which keeps the preconditioner symmetric.
    coarse = _v_cycle(masks[1:], masks[1] * _restrict(b - _stencil(x, mask)), tick)
    x += mask * _prolong(coarse)
    return _smooth(x, b, mask, 2)


def _smooth(x: np.ndarray, b: np.ndarray, mask: np.ndarray, sweeps: int) -> np.ndarray:
    for _ in range(sweeps):
        step = _stencil(x, mask)
        np.subtract(b, step, out=step)
        step *= JACOBI_STEP
        x += step
    return x


def _stencil(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """4 x minus the four neighbours on the mask, 0 elsewhere; x must be 0 off the mask."""
    out = 4.0 * x
    out[1:] -= x[:-1]
    out[:-1] -= x[1:]
    out[:, 1:] -= x[:, :-1]
    out[:, :-1] -= x[:, 1:]
    out *= mask
    return out


def _prolong(x: np.ndarray) -> np.ndarray:
    """Bilinear interpolation from n to 2n - 1 points along each axis."""
    height, width = x.shape
    rows = np.empty((2 * height - 1, width), x.dtype)
    rows[::2] = x
    rows[1::2] = 0.5 * (x[:-1] + x[1:])
    fine = np.empty((2 * height - 1, 2 * width - 1), x.dtype)
    fine[:, ::2] = rows
    fine[:, 1::2] = 0.5 * (rows[:, :-1] + rows[:, 1:])
    return fine


def _restrict(x: np.ndarray) -> np.ndarray:
    """The transpose of `_prolong`: sums over coarse points, which the doubled spacing asks for."""
    rows = x[::2].copy()
    rows[:-1] += 0.5 * x[1::2]
    rows[1:] += 0.5 * x[1::2]
    coarse = rows[:, ::2].copy()
    coarse[:, :-1] += 0.5 * rows[:, 1::2]
    coarse[:, 1:] += 0.5 * rows[:, 1::2]
    return coarse


def _roundness(u: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """What u is multiplied with so that its root is as high as the component is wide, (count + 1,) in [1/2, 1].

    In an ellipse with semi-axes p <= q the peak is u0 = 2 / (1/p^2 + 1/q^2) and the steepest curvature there
    2 u0 / p^2; the factor p^2 / u0 = 2 / curvature is 1 for disks and 1/2 for endless bars.
    """
    order = np.lexsort((-u.ravel(), labels.ravel()))
    first = np.searchsorted(labels.ravel()[order], np.arange(count + 1))
    y, x = np.divmod(order[first.clip(max=order.size - 1)], u.shape[1])
    # A stencil as wide as a quarter of the thickness looks past the staircase of the outline.
    s = np.maximum(1, 0.25 * np.sqrt(u[y, x])).astype(int)
    ringed = np.pad(u, 1)

    def at(dy, dx):
        return ringed[(y + dy + 1).clip(0, u.shape[0] + 1), (x + dx + 1).clip(0, u.shape[1] + 1)]

    yy = (at(-s, 0) - 2 * at(0, 0) + at(s, 0)) / s**2
    xx = (at(0, -s) - 2 * at(0, 0) + at(0, s)) / s**2
    xy = (at(s, s) - at(s, -s) - at(-s, s) + at(-s, -s)) / (4 * s**2)
    curvature = np.hypot((xx - yy) / 2, xy) - (xx + yy) / 2
    return 2.0 / curvature.clip(2.0, 4.0)


def _close_rim(height: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Heights that climb from the outline in even steps.

    A round body is so steep there that its first pixel already stands sqrt(2 R) off the middle, and front and back
    would look like two shells with a gap. Slopes up to RIM_SLOPE leave none and stay as they are.
    """
    ringed = np.pad(mask, 1)
    ring = sum(erode(ringed, radius)[1:-1, 1:-1].astype(float) for radius in range(RIM_PIXELS))
    return np.minimum(height, np.maximum(height * ring / RIM_PIXELS, RIM_SLOPE * (ring - 0.5)))
