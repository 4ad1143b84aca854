import pytest

torch = pytest.importorskip("torch")

from worldtracing.model.viewing import camera_rays  # noqa: E402
from worldtracing.training import augmentation  # noqa: E402
from worldtracing.training.augmentation import Warp, augmented, warp  # noqa: E402
from worldtracing.training.source import Renders  # noqa: E402
from worldtracing.training.targets import make_targets  # noqa: E402

CLOSE = {"rtol": 1e-4, "atol": 1e-4}
CENTER = torch.tensor([0.0, 0.0, 2.0])  # of the spheres


def points(renders, layer):
    rays = camera_rays(renders.intrinsics, *renders.depth.shape[2:])
    return (rays / rays[:, 2:] * renders.depth[:, layer, None]).permute(0, 2, 3, 1)


def distances(renders, layer, matrix=None):
    """Of each sample's points from the spheres' center, after undoing `matrix`."""
    for i, p in enumerate(points(renders, layer)):
        p = p[renders.depth[i, layer] > 0]
        if matrix is not None:
            p = torch.cat([p[:, :2] @ matrix[i].inverse().T, p[:, 2:]], 1)
        yield (p - CENTER).norm(dim=1)


def cropped(renders, columns=5):
    """As if cut out of a photo, so that the principal point is not in the middle."""
    intrinsics = renders.intrinsics.clone()
    intrinsics[:, 2] -= columns
    return Renders(renders.rgba.roll(-columns, 2), renders.depth.roll(-columns, 3), intrinsics)


def test_mirrored_samples_are_mirror_images(spheres, monkeypatch):
    monkeypatch.setattr(augmentation, "WARPED", 0.0)
    renders = cropped(spheres.draw(0, 16, 32))
    same, other = make_targets(renders), make_targets(augmented(renders, range(16), seed=1))
    flipped = [i for i in range(16) if not torch.equal(same.valid[i], other.valid[i])]
    assert 2 < len(flipped) < 14
    for i in flipped:
        torch.testing.assert_close(other.x0[i], same.x0[i].flip(-1), **CLOSE)
        torch.testing.assert_close(other.rays[i, 0], -same.rays[i, 0].flip(-1), **CLOSE)


def test_augmentation_depends_on_the_samples_number_alone(spheres):
    renders = spheres.draw(0, 6, 32)
    whole = augmented(renders, range(10, 16), seed=1)
    half = augmented(Renders(*(x[3:] for x in renders)), range(13, 16), seed=1)
    assert all(torch.equal(a[3:], b) for a, b in zip(whole, half, strict=True))
    assert not torch.equal(whole.rgba, augmented(renders, range(10, 16), seed=2).rgba)


def test_no_warp_changes_nothing(spheres):
    renders = cropped(spheres.draw(0, 2, 32))
    same = warp(renders, Warp(torch.eye(2).expand(2, 2, 2), torch.ones(2), torch.zeros(2, 2)))
    assert torch.equal(same.rgba, renders.rgba)
    torch.testing.assert_close(same.depth, renders.depth)
    torch.testing.assert_close(same.intrinsics, renders.intrinsics)


@pytest.mark.parametrize("layer", [0, 1])
def test_a_warped_sphere_is_a_turned_and_stretched_sphere_seen_by_the_warped_camera(spheres, layer):
    renders = cropped(spheres.draw(0, 4, 96), columns=9)
    matrix = torch.tensor([[0.9, -0.3], [0.2, 1.1]]).expand(4, 2, 2)
    zoom, shift = torch.tensor([0.7, 0.9, 1.0, 1.1]), torch.tensor([[3.0, -4.0]]).expand(4, 2)
    warped = warp(renders, Warp(matrix, zoom, shift))
    before, after = list(distances(renders, layer)), list(distances(warped, layer, matrix))
    for i, (old, new) in enumerate(zip(before, after, strict=True)):
        radius = old.median()
        assert old.sub(radius).abs().max() < 1e-4
        assert new.sub(radius).abs().median() < 2e-3  # depths between pixels are mixed linearly
        assert new.sub(radius).abs().quantile(0.99) < 0.06  # near the silhouette, of the nearest pixel
        assert abs(len(new) / len(old) - zoom[i] ** 2 * matrix[i].det()) < 0.03
    assert ((warped.rgba[..., 3] > 127) != (warped.depth[:, 0] > 0)).float().mean() < 0.01


def test_scenes_that_fill_the_picture_go_on_filling_it():
    depth = torch.ones(40, 6, 32, 32)
    rgba = torch.full((40, 32, 32, 4), 255, dtype=torch.uint8)
    intrinsics = torch.tensor([[30.0, 30.0, 20.0, 9.0]]).repeat(40, 1)
    warped = augmented(Renders(rgba, depth, intrinsics), range(40), seed=5)
    assert ((warped.depth - 1).abs() < 1e-5).all()
    assert (warped.rgba[..., 3] == 255).all()
    assert 20 < (warped.intrinsics[:, 0] > 30.1).sum() < 36
