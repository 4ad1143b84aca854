"""The layered ground truth of `raycast` on a GPU: every ray against every triangle, in batches and tiles (torch).

With the eye at the origin the ray-triangle test is three matrix products, and everything after it works on a dense
(rays, hits) table, so there is neither a tree nor a loop over meshes. Batch meshes of similar size: smaller ones are
padded to the largest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..camera import Camera
from ..world import MAX_LAYERS
from .mesh import Mesh
from .raycast import ATTACHED, MERGE

MAX_HITS = 32
"""Nearest hits kept along one ray."""

TILE = 1 << 26
"""Pairs of a ray and a triangle, or of two hits of one ray, that exist at once; about 40 bytes each."""


class BatchedMeshes:
    """Meshes in their cameras' frames, padded to the same number of faces.

    Attributes:
        corners: (B, F, 3, 3) float32; padding has no area.
        part: (B, F) int64.
    """

    def __init__(self, meshes: Sequence[Mesh], poses: Sequence[np.ndarray], device: torch.device | str) -> None:
        """
        Args:
            poses: one (4, 4) each, mesh coordinates to camera frame.
        """
        most = max(len(mesh.faces) for mesh in meshes)
        corners = np.zeros((len(meshes), most, 3, 3), np.float32)
        part = np.zeros((len(meshes), most), np.int64)
        for k, (mesh, pose) in enumerate(zip(meshes, poses, strict=True)):
            corners[k, : len(mesh.faces)] = (mesh.vertices @ pose[:3, :3].T + pose[:3, 3])[mesh.faces]
            part[k, : len(mesh.faces)] = mesh.part
        self.corners = torch.from_numpy(corners).to(device)
        self.part = torch.from_numpy(part).to(device)


def camera_rays(cameras: Sequence[Camera], device: torch.device | str) -> torch.Tensor:
    """(B, H, W, 3) float32 rays with z = 1 through the pixel centres."""
    return torch.from_numpy(np.stack([camera.rays() for camera in cameras])).to(device)


@torch.no_grad()
def layers(
    meshes: BatchedMeshes, rays: torch.Tensor, object_size: float = 1.0, solid: bool = True
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The first six surfaces along every ray, as `RayCaster.layers`.

    Args:
        rays: (B, H, W, 3) with z = 1.
        object_size: what `MERGE` and `ATTACHED` are relative to.
        solid: drop surfaces inside solids.

    Returns:
        depth (B, 6, H, W) float32, 0 where absent; face (B, 6, H, W) int64, -1 where absent; bary (B, 6, H, W, 2)
        float32, the weights of the face's second and third corner.
    """
    batch, height, width = rays.shape[:3]
    flat = rays.reshape(batch, -1, 3)
    faces = meshes.corners.shape[1]
    step = max(1, TILE // (batch * max(faces, min(faces, MAX_HITS) ** 2)))
    tiles = [_tile(meshes, flat[:, k : k + step], object_size, solid) for k in range(0, flat.shape[1], step)]
    depth, face, bary = (torch.cat(column, 1) for column in zip(*tiles, strict=True))
    shape = (batch, height, width, MAX_LAYERS)
    depth, face = depth.reshape(shape).movedim(-1, 1), face.reshape(shape).movedim(-1, 1)
    return depth, face, bary.reshape(*shape, 2).movedim(-2, 1)


def _tile(meshes: BatchedMeshes, rays: torch.Tensor, size: float, solid: bool) -> tuple[torch.Tensor, ...]:
    """Layers of (B, R, 3) rays: depth (B, R, 6), face (B, R, 6), bary (B, R, 6, 2)."""
    depth, face, enters, bary = _nearest_hits(meshes.corners, rays)
    length = torch.linalg.norm(rays, dim=-1, keepdim=True)
    part = torch.gather(meshes.part[:, None].expand(-1, rays.shape[1], -1), 2, face)
    keep, enters = _surfaces(depth * length, part, enters, MERGE * size, solid)
    depth, face, enters, bary = _compacted(keep, depth, face, enters, bary)
    if solid:
        keep = torch.isfinite(depth) & ~_closed_by_neighbor(depth * length, enters, ATTACHED * size)
        depth, face, _, bary = _compacted(keep, depth, face, enters, bary)
    depth, face, bary = depth[..., :MAX_LAYERS], face[..., :MAX_LAYERS], bary[..., :MAX_LAYERS, :]
    absent = ~torch.isfinite(depth)
    return depth.masked_fill(absent, 0), face.masked_fill(absent, -1), bary.masked_fill(absent[..., None], 0)


def _nearest_hits(corners: torch.Tensor, rays: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Sorted hits (B, R, K) of rays from the origin: depth (inf where none), face, enters; and bary (B, R, K, 2).

    Moeller and Trumbore's test; with the origin as eye its terms are products of the ray with fixed vectors.
    """
    a, edge1, edge2 = corners[:, :, 0], corners[:, :, 1] - corners[:, :, 0], corners[:, :, 2] - corners[:, :, 0]
    determinant = rays @ torch.linalg.cross(edge2, edge1).transpose(1, 2)
    u = -(rays @ torch.linalg.cross(edge2, a).transpose(1, 2)) / determinant
    v = -(rays @ torch.linalg.cross(a, edge1).transpose(1, 2)) / determinant
    depth = -(edge2 * torch.linalg.cross(a, edge1)).sum(-1)[:, None] / determinant
    hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (depth > 0)  # false where the determinant is zero: nan or inf
    depth = torch.where(hit, depth, torch.inf)
    depth, face = torch.topk(depth, min(MAX_HITS, depth.shape[-1]), largest=False, sorted=True)
    bary = torch.stack([torch.gather(u, 2, face), torch.gather(v, 2, face)], -1)
    return depth, face, torch.gather(determinant, 2, face) > 0, bary


def _surfaces(
    distance: torch.Tensor, part: torch.Tensor, enters: torch.Tensor, merge: float, solid: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Which hits (B, R, K) are surfaces of the union, and whether each enters it (see `raycast.surfaces`)."""
    found = torch.isfinite(distance)
    gap = torch.diff(distance, dim=-1).nan_to_num(torch.inf)  # inf - inf behind the last hit
    fresh = torch.cat([found[..., :1], gap > merge], -1)
    if not solid:
        return fresh & found, enters
    change = torch.where(enters, 1, -1) * found
    change = change * _solid_along_ray(change, part)
    after = change.cumsum(-1)
    before = (after - change) > 0
    # The winding number behind a cluster is the one at its last hit, the next index at which a cluster ends.
    index = torch.arange(distance.shape[-1], device=distance.device)
    ends = torch.cat([fresh[..., 1:], torch.ones_like(fresh[..., :1])], -1)
    last = torch.where(ends, index, len(index) - 1).flip(-1).cummin(-1).values.flip(-1)
    after = torch.gather(after, -1, last) > 0
    return fresh & found & ~(before & after), torch.where(before == after, enters, after)


def _solid_along_ray(change: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
    """(B, R, K) bool: the hit's part is entered and left, or (a cavity) left and entered; `change` is 0 for no hit."""
    found = change != 0
    same = (part[..., :, None] == part[..., None, :]) & found[..., None, :]
    earlier = torch.ones(same.shape[-2:], dtype=torch.bool, device=same.device).tril()
    step = change[..., None, :].to(torch.int8)
    running = (step * (same & earlier)).sum(-1)
    total = (step * same).sum(-1)
    lowest = torch.where(same, running[..., None, :], MAX_HITS).amin(-1)
    highest = torch.where(same, running[..., None, :], -MAX_HITS).amax(-1)
    return (total == 0) & ((lowest >= 0) | (highest <= 0))


def _closed_by_neighbor(distance: torch.Tensor, enters: torch.Tensor, reach: float) -> torch.Tensor:
    """(B, R, K) bool, of entries the second and of exits the first where two follow each other within `reach`."""
    close = (torch.diff(distance, dim=-1) < reach) & (enters[..., 1:] == enters[..., :-1])
    none = torch.zeros_like(enters[..., :1])
    return torch.cat([none, close & enters[..., 1:]], -1) | torch.cat([close & ~enters[..., :-1], none], -1)


def _compacted(keep: torch.Tensor, depth: torch.Tensor, *others: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The kept entries of (B, R, K) tables moved to the front, in order; depth is inf behind them."""
    depth, order = torch.where(keep, depth, torch.inf).sort(dim=-1, stable=True)
    moved = [
        torch.gather(other, 2, order if other.ndim == 3 else order[..., None].expand_as(other)) for other in others
    ]
    return (depth, *moved)
