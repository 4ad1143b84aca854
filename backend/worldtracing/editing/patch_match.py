"""PatchMatch (Barnes et al. 2009) on a picture with a gap, at one scale: for each patch over it a similar one.

Patches are compared in the leading principal components of the known ones. The picture is kept with a border, and
pixels are numbers in its flattened raster, so that neighbors are sums.
"""

from __future__ import annotations

import numpy as np

from ..regions import dilate, erode
from .pull_push import nearest_known

RADIUS = 3
"""Patches reach this many pixels from their middle: 7 x 7."""

COMPONENTS, SAMPLE = 20, 3000
"""Principal components that patches are compared by, and the number of patches that these are computed from."""

STEPS = (3, 1)
"""Distances in pixels over which good matches spread, in turn."""

SPREAD = 2.0
"""Of a patch's votes in pixels while matches are sought."""

TRUST, DEEPEST = 1.2, 40
"""A patch counts by this factor less per pixel that it lies further in the gap, down to so many pixels."""

LEAST = 1e-6
"""Weight of patches that fit worst, so that each pixel has some."""

BORDER = 3 * RADIUS + 1
CHUNK = 8192  # patches that are described at once


class PatchMatch:
    """Matches from the patches over a gap to known ones, and the picture that they make."""

    def __init__(self, image: np.ndarray, unknown: np.ndarray, source: np.ndarray, rng: np.random.Generator) -> None:
        """
        Args:
            image: (H, W, C) float32.
            unknown: (H, W) bool, what is wanted.
            source: (H, W) bool, what is known and may be taken from: somewhere a whole patch. All else is made up where
                patches over the gap reach it.
        """
        self._rng = rng
        self._shape = height, self._width = tuple(size + 2 * BORDER for size in unknown.shape)
        known = _bordered(source)
        wanted = _bordered(unknown)
        gap = dilate(wanted, 2 * RADIUS) & ~known
        self._image = _bordered(image).reshape(height * self._width, -1)
        self._gap = np.flatnonzero(gap)
        self._target = dilate(wanted, RADIUS).ravel()
        self._targets = np.flatnonzero(self._target)
        self._middle = erode(known, RADIUS).ravel()
        self._middles = np.flatnonzero(self._middle)
        reach = np.arange(-RADIUS, RADIUS + 1)
        self._offsets = (reach[:, None] * self._width + reach).ravel()
        self._distances = (reach[:, None] ** 2 + reach**2).ravel()
        self._trust = (TRUST ** -_depth(known)).astype(np.float32).ravel()
        self._basis = self._components()
        self._known = np.zeros((len(self._image), self._basis.shape[1]), np.float32)
        self._known[self._middles] = self._described(self._middles)
        self._match = np.zeros(len(self._image), np.int64)
        self._weight = np.zeros(len(self._image), np.float32)

    @property
    def image(self) -> np.ndarray:
        """(H, W, C) float32, the picture with its gap filled."""
        return self._image.reshape(*self._shape, -1)[BORDER:-BORDER, BORDER:-BORDER]

    def begin(self) -> None:
        """Start from what is known, mirrored at the gap's border: its texture is right from the first."""
        nearest = nearest_known(self._middle.reshape(self._shape)).ravel()[self._targets]
        self._match[self._targets] = nearest
        self._adopt(
            *(2 * near - own for near, own in zip(self._place(nearest), self._place(self._targets), strict=True))
        )
        self._weight[self._targets] = self._trust[self._targets]
        self.vote()

    def begin_from(self, coarse: PatchMatch) -> None:
        """Start from the matches at half the size; where these do not fit, from anything."""
        row, column = (place - BORDER for place in self._place(self._targets))
        parent_row = np.clip(row // 2, -BORDER, coarse._shape[0] - BORDER - 1) + BORDER
        parent_column = np.clip(column // 2, -BORDER, coarse._shape[1] - BORDER - 1) + BORDER
        parent = parent_row * coarse._width + parent_column
        match_row, match_column = coarse._place(coarse._match[parent])
        self._match[self._targets] = self._rng.choice(self._middles, len(self._targets))
        adopted = self._adopt(
            row + 2 * (match_row - parent_row) + BORDER,
            column + 2 * (match_column - parent_column) + BORDER,
            coarse._target[parent],
        )
        self._weight[self._targets] = np.where(adopted, self._trust[self._targets], LEAST)
        self.vote()

    def search(self) -> None:
        """Better matches: those of neighbors, moved along, and random ones ever closer to the one that is known."""
        targets, wanted = self._targets, self._described(self._targets)
        cost = self._distance(wanted, self._match[targets])

        def consider(candidate: np.ndarray, possible: np.ndarray) -> None:
            at = np.flatnonzero(possible)
            found = self._distance(wanted[at], candidate[at])
            better = found < cost[at]
            at = at[better]
            cost[at] = found[better]
            self._match[targets[at]] = candidate[at]

        for step in STEPS:
            for offset in (step, -step, step * self._width, -step * self._width):
                neighbor = targets + offset
                candidate = np.where(self._target[neighbor], self._match[neighbor] - offset, 0)
                consider(candidate, self._middle[candidate])
        consider(self._rng.choice(self._middles, len(targets)), np.ones(len(targets), bool))
        radius = max(self._shape) // 2
        while radius:
            row, column = (
                np.clip(place + self._rng.integers(-radius, radius + 1, len(targets)), 0, size - 1)
                for place, size in zip(self._place(self._match[targets]), self._shape, strict=True)
            )
            candidate = row * self._width + column
            consider(candidate, self._middle[candidate])
            radius //= 2
        fit = np.exp(-cost / (2 * np.percentile(cost, 75) + 1e-6)) + LEAST  # Wexler et al. 2007, section 3.2
        self._weight[targets] = fit * self._trust[targets]

    def vote(self, spread: float = SPREAD) -> None:
        """Each pixel of the gap anew: the mean of what the matches of all patches over it have there.

        Args:
            spread: pixels from a patch's middle at which its votes count 0.6 of those in the middle: more blurs, less
                shows seams.
        """
        falloff = np.exp(-self._distances / (2 * spread**2)).astype(np.float32)
        total = np.zeros((len(self._gap), self._image.shape[1]), np.float32)
        weights = np.full((len(self._gap), 1), np.float32(1e-20))
        for offset, share in zip(self._offsets, falloff, strict=True):
            patch = self._gap - offset
            weight = (self._weight[patch] * share)[:, None]
            total += weight * self._image[self._match[patch] + offset]
            weights += weight
        self._image[self._gap] = total / weights

    def _place(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.divmod(pixels, self._width)

    def _adopt(self, row: np.ndarray, column: np.ndarray, possible: np.ndarray | bool = True) -> np.ndarray:
        """Set the targets' matches where these may be taken; (N,) bool, where they were."""
        inside = possible & (row >= 0) & (row < self._shape[0]) & (column >= 0) & (column < self._width)
        match = np.where(inside, row * self._width + column, 0)  # pixel 0 is border, and no patch's middle
        adopted = self._middle[match]
        self._match[self._targets[adopted]] = match[adopted]
        return adopted

    def _components(self) -> np.ndarray:
        """(P, K) float32, the leading principal components of the known patches."""
        count = min(SAMPLE, len(self._middles))
        sample = self._patches(self._rng.choice(self._middles, count, replace=False))
        sample = sample - sample.mean(0)
        return np.ascontiguousarray(np.linalg.eigh(sample.T @ sample)[1][:, -COMPONENTS:])

    def _patches(self, middles: np.ndarray) -> np.ndarray:
        return self._image[middles[:, None] + self._offsets].reshape(len(middles), -1)

    def _described(self, middles: np.ndarray) -> np.ndarray:
        """(N, K) float32, patches by their components."""
        chunks = (middles[start : start + CHUNK] for start in range(0, len(middles), CHUNK))
        return np.concatenate([self._patches(chunk) @ self._basis for chunk in chunks])

    def _distance(self, wanted: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        difference = self._known[candidates] - wanted
        return np.einsum("nk,nk->n", difference, difference)


def _bordered(values: np.ndarray) -> np.ndarray:
    return np.pad(values, [(BORDER, BORDER)] * 2 + [(0, 0)] * (values.ndim - 2))


def _depth(known: np.ndarray) -> np.ndarray:
    """(H, W) int64, how many pixels each is away from what is known, up to `DEEPEST`; 0 there."""
    depth = np.zeros(known.shape, np.int64)
    for _ in range(DEEPEST):
        depth += ~known
        known = dilate(known, 1)
    return depth
