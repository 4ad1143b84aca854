"""Mixtures of Gaussians over colors, as in GrabCut (Rother et al. 2004): full covariance, hard assignment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COMPONENTS = 5
MIN_COLORS = 4 * COMPONENTS  # so that at least one component has the 4 that a covariance takes
ROUNDING_VARIANCE = 1 / 12  # of a level; keeps the covariance of a single color invertible
K_MEANS_COLORS = 8000
K_MEANS_ROUNDS = 12


@dataclass(frozen=True)
class Mixture:
    """Gaussians with full covariance in RGB.

    Attributes:
        means: (k, 3) float32.
        whitening: (k, 3, 3) float32, upper triangular: whitening^T whitening is the inverse covariance.
        log_scales: (k,) float32, the logarithm of weight / sqrt(|covariance|).
    """

    means: np.ndarray
    whitening: np.ndarray
    log_scales: np.ndarray

    def log_densities(self, colors: np.ndarray) -> np.ndarray:
        """Logarithm of each component's share of the density, (k, N), but for a constant; colors (3, N) float32."""
        return np.stack(
            [
                log_scale - 0.5 * ((whiten @ colors - (whiten @ mean)[:, None]) ** 2).sum(0)
                for mean, whiten, log_scale in zip(self.means, self.whitening, self.log_scales, strict=True)
            ]
        )

    def log_likelihood(self, colors: np.ndarray) -> np.ndarray:
        """Logarithm of the density, (N,), but for a constant; colors (3, N) float32."""
        parts = self.log_densities(colors)
        largest = parts.max(0)
        return largest + np.log(np.exp(parts - largest).sum(0))


def fit_mixture(colors: np.ndarray, before: Mixture | None) -> Mixture:
    """The mixture of the colors, (3, N) float32 with N >= MIN_COLORS, each assigned to one component.

    By k-means where there is no mixture before; then, as in the paper, by the component that is the most likely.
    """
    if before is None:
        before = _mixture_of(colors, k_means(colors, COMPONENTS))
    return _mixture_of(colors, before.log_densities(colors).argmax(0))


def _mixture_of(colors: np.ndarray, component: np.ndarray) -> Mixture:
    means, whitening, log_scales = [], [], []
    for number in range(COMPONENTS):
        members = colors[:, component == number]
        if members.shape[1] < 4:
            continue
        covariance = np.cov(members) + np.eye(3) * ROUNDING_VARIANCE
        whiten = np.linalg.cholesky(np.linalg.inv(covariance)).T
        means.append(members.mean(1))
        whitening.append(whiten)
        log_scales.append(np.log(members.shape[1] / colors.shape[1]) + np.log(np.diag(whiten)).sum())
    return Mixture(*(np.array(part, np.float32) for part in (means, whitening, log_scales)))


def k_means(colors: np.ndarray, count: int) -> np.ndarray:
    """Group of each color, (N,), from (3, N) float32; started from colors far from one another, so nothing is drawn."""
    sample = colors[:, :: max(1, colors.shape[1] // K_MEANS_COLORS)].T
    centers = sample.mean(0)[None]
    for _ in range(count - 1):
        distance = ((sample[:, None] - centers) ** 2).sum(-1).min(1)
        centers = np.concatenate([centers, sample[distance.argmax()][None]])
    for _ in range(K_MEANS_ROUNDS):
        group = _nearest(sample.T, centers)
        centers = np.stack([sample[group == k].mean(0) if (group == k).any() else centers[k] for k in range(count)])
    return _nearest(colors, centers)


def _nearest(colors: np.ndarray, centers: np.ndarray) -> np.ndarray:
    # |color - center|^2 without |color|^2, which is the same for all centers
    return ((centers**2).sum(1)[:, None] - 2 * centers @ colors).argmin(0)
