import numpy as np
import pytest

from worldtracing.graph_cut import GAP, GraphCut

HEIGHT, WIDTH = 14, 19


def picture(seed=0):
    """Two smooth halves with noise."""
    halves = np.where(np.arange(WIDTH) < 9, 80, 170)[None, :, None]
    return np.clip(halves + np.random.default_rng(seed).normal(0, 25, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)


def pairs(rgb, smoothness):
    """Every pair of 8-neighbors and its weight, by the formula of the paper."""
    found = [
        ((v, u), (v + down, u + right))
        for v in range(HEIGHT)
        for u in range(WIDTH)
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1))
        if v + down < HEIGHT and 0 <= u + right < WIDTH
    ]
    contrast = np.array([((rgb[a].astype(float) - rgb[b]) ** 2).sum() for a, b in found])
    length = np.array([np.hypot(a[0] - b[0], a[1] - b[1]) for a, b in found])
    return found, smoothness / length * np.exp(-contrast / (2 * contrast.mean()))


def least_energy(cost, found, weights):
    """The minimum cut by maximum flow, in thousandths."""
    sparse = pytest.importorskip("scipy.sparse")
    csgraph = pytest.importorskip("scipy.sparse.csgraph")
    index = np.arange(cost.size).reshape(cost.shape)
    source, sink = cost.size, cost.size + 1
    edges = [(index[a], index[b], w) for (a, b), w in zip(found, weights, strict=True)]
    edges += [(b, a, w) for a, b, w in edges]
    edges += [(source, i, -c) if c < 0 else (i, sink, c) for i, c in enumerate(cost.ravel())]
    tail, head, capacity = (np.array(column) for column in zip(*edges, strict=True))
    capacity = np.rint(1000 * capacity).astype(np.int32)
    graph = sparse.csr_matrix((capacity, (tail, head)), shape=(cost.size + 2,) * 2)
    return csgraph.maximum_flow(graph, source, sink).flow_value / 1000 + cost[cost < 0].sum()


def test_the_energy_is_that_of_the_paper():
    rng = np.random.default_rng(1)
    rgb, mask, cost = picture(), rng.random((HEIGHT, WIDTH)) < 0.4, rng.normal(0, 5, (HEIGHT, WIDTH))
    expected = cost[mask].sum() + sum(w for (a, b), w in zip(*pairs(rgb, 50.0), strict=True) if mask[a] != mask[b])
    assert GraphCut(rgb, 50.0).energy(mask, cost) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("smoothness", [2.0, 50.0])
def test_a_cut_has_the_least_energy_that_maximum_flow_finds(seed, smoothness):
    rgb = picture(seed)
    cost = np.where(np.arange(WIDTH) < 9, -2.0, 2.0) + np.random.default_rng(seed).normal(0, 6, (HEIGHT, WIDTH))
    cost *= smoothness / 5
    cost[:2] = 9 * smoothness
    cut = GraphCut(rgb, smoothness)
    least = least_energy(cost, *pairs(rgb, smoothness))
    mask = cut.minimize(cost)
    assert mask.any() and not mask.all()
    assert -0.01 * HEIGHT * WIDTH <= cut.energy(mask, cost) - least <= 1.1 * GAP * HEIGHT * WIDTH


def test_a_second_cut_does_not_depend_on_the_first():
    rgb = picture()
    cost = np.random.default_rng(0).normal(0, 6, (HEIGHT, WIDTH))
    cut = GraphCut(rgb, 10.0)
    cut.minimize(-cost)
    again = cut.minimize(cost)
    assert cut.energy(again, cost) == pytest.approx(cut.energy(GraphCut(rgb, 10.0).minimize(cost), cost), abs=2.7)


def test_a_flat_picture_is_cut_by_its_costs():
    rgb = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[4:10, 5:14] = True
    np.testing.assert_array_equal(GraphCut(rgb, 1.0).minimize(np.where(inside, -20.0, 20.0)), inside)
