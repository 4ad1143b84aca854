import numpy as np
import pytest

from worldtracing.mixture import fit_mixture, k_means

CENTERS = np.array([[30, 40, 200], [220, 30, 60], [90, 200, 90], [240, 240, 230], [128, 20, 160]], float)


def colors(count=400, seed=0):
    """(3, 5 count) float32: five clouds of unlike shape."""
    rng = np.random.default_rng(seed)
    clouds = [center + rng.normal(0, 1, (count, 3)) @ rng.normal(0, 5, (3, 3)) for center in CENTERS]
    return np.concatenate(clouds).T.astype(np.float32)


def test_k_means_parts_clouds():
    group = k_means(colors(), 5).reshape(5, -1)
    assert (group == group[:, :1]).all()
    assert len(set(group[:, 0])) == 5


def test_a_mixture_finds_the_clouds_and_their_likelihood():
    stats = pytest.importorskip("scipy.stats")
    points = colors()
    mixture = fit_mixture(points, None)
    expected = 0
    for cloud in np.split(points, 5, axis=1):
        covariance = np.cov(cloud) + np.eye(3) / 12
        expected += 0.2 * stats.multivariate_normal(cloud.mean(1), covariance).pdf(points.T)
    constant = 1.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(mixture.log_likelihood(points) - constant, np.log(expected), atol=0.02)


def test_fitting_again_does_not_lower_the_likelihood_of_a_hard_assignment():
    points = np.concatenate([colors(60, 1), colors(300, 2) * 0.5 + 40], axis=1)
    first = fit_mixture(points, None)
    second = fit_mixture(points, first)
    assert second.log_densities(points).max(0).sum() >= first.log_densities(points).max(0).sum() - 1


def test_a_single_color_has_a_mixture_too():
    mixture = fit_mixture(np.full((3, 50), 77, np.float32), None)
    at, beside = mixture.log_likelihood(np.array([[77, 80]] * 3, np.float32))
    assert np.isfinite([at, beside]).all() and at > beside
