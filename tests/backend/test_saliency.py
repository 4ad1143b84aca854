import numpy as np

from worldtracing.saliency import barrier_distance, border_distance, salient, unlike_border, within_border

HEIGHT, WIDTH = 60, 80


def disc(radius, center):
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    return (v - center[0]) ** 2 + (u - center[1]) ** 2 <= radius**2


def ramp():
    """Gray from 60 at the left to 139 at the right."""
    return np.repeat(np.tile(np.arange(60, 60 + WIDTH, dtype=np.uint8), (HEIGHT, 1))[..., None], 3, axis=2)


def test_there_is_no_barrier_where_a_level_path_leads_out():
    np.testing.assert_array_equal(barrier_distance(ramp()), 0)


def test_the_barrier_is_the_range_of_levels_on_the_best_way_out():
    rgb = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    rgb[disc(20, (30, 40))] = (130, 100, 90)  # a wall
    rgb[disc(10, (30, 40))] = 100  # a court with the color of the surroundings
    distance = barrier_distance(rgb)
    np.testing.assert_array_equal(distance[~disc(20, (30, 40))], 0)
    np.testing.assert_array_equal(distance[disc(20, (30, 40))], 30 + 10)
    rgb[30, 40:] = 100  # a way out
    np.testing.assert_array_equal(barrier_distance(rgb)[disc(9, (30, 40))], 0)


def test_the_barrier_finds_a_way_around_corners():
    rgb = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    rgb[20, 10:60] = rgb[20:40, 59] = rgb[39, 30:60] = rgb[39:, 30] = 50
    assert barrier_distance(rgb)[20, 10] == 0


def test_border_distance_counts_standard_deviations():
    rng = np.random.default_rng(0)
    rgb = np.clip(rng.normal(120, 12, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)
    rgb[disc(10, (30, 40))] = 240
    distance = border_distance(rgb)
    assert np.median(distance[~disc(10, (30, 40))]) < 2
    assert distance[disc(10, (30, 40))].min() > 5


def test_guesses_hold_the_object_and_never_the_border():
    rgb = ramp()
    mask = disc(14, (30, 40))
    rgb[mask] = (200, 40, 40)
    for guess in (unlike_border(rgb), salient(rgb)):
        assert (guess & mask).sum() / (guess | mask).sum() > 0.95
    rgb[:] = (200, 40, 40)
    rgb[within_border(rgb)] = 30
    for guess in (unlike_border, salient, within_border):
        assert not guess(rgb)[:2].any() and not guess(rgb)[:, -2:].any()
