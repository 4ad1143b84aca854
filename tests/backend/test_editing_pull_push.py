"""Values where none are known: smooth by pull and push, or those of a nearest pixel."""

import numpy as np
import pytest

from worldtracing.editing.pull_push import nearest_known, pull_push


def test_known_values_stay_and_a_constant_goes_on():
    rng = np.random.default_rng(0)
    values, known = rng.random((21, 34, 2)), rng.random((21, 34)) < 0.4
    filled = pull_push(values, known)
    assert filled[known] == pytest.approx(values[known], abs=1e-6)
    assert filled[~known].min() >= values[known].min() - 1e-6
    assert filled[~known].max() <= values[known].max() + 1e-6
    lonely = np.zeros((21, 34), bool)
    lonely[3, 30] = True
    assert pull_push(np.full((21, 34, 1), 7.0), lonely) == pytest.approx(7.0)


def test_a_hole_in_a_ramp_is_filled_about_as_the_ramp():
    ramp = np.linspace(0, 1, 48)[None, :, None] * np.ones((32, 1, 1))
    known = np.ones((32, 48), bool)
    known[10:22, 18:30] = False
    assert np.abs(pull_push(ramp, known) - ramp).max() < 0.08


def test_nothing_known_gives_zeros():
    assert (pull_push(np.ones((5, 9, 3)), np.zeros((5, 9), bool)) == 0).all()
    assert (nearest_known(np.zeros((5, 9), bool)) == -1).all()


@pytest.mark.parametrize("share", [0.003, 0.05, 0.6])
def test_the_nearest_pixel_is_as_near_as_the_best_or_nearly(share):
    rng = np.random.default_rng(1)
    known = rng.random((33, 50)) < share
    known[7, 9] = True
    rows, columns = np.nonzero(known)
    nearest = nearest_known(known)
    assert known.ravel()[nearest].all()
    v, u = np.mgrid[:33, :50]
    best = np.sqrt(((v[..., None] - rows) ** 2 + (u[..., None] - columns) ** 2).min(-1))
    distance = np.hypot(nearest // 50 - v, nearest % 50 - u)
    assert (distance <= best + 1.5).all()  # jump flooding is exact but for rare ties
    assert np.mean(distance > best + 1e-9) < 0.01
