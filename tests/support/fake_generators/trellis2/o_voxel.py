import types

from fake_generator_log import call
from fake_trimesh import painted


def to_glb(
    vertices, faces, attr_volume, coords, attr_layout, aabb, voxel_size=None, grid_size=None, decimation_target=1000000,
    texture_size=2048, remesh=False, remesh_band=1, remesh_project=0.9, verbose=False, use_tqdm=False,
):  # fmt: skip
    call(
        "to_glb", voxel_size=voxel_size, grid_size=grid_size, aabb=aabb, decimation_target=decimation_target,
        texture_size=texture_size, remesh=remesh, remesh_band=remesh_band, remesh_project=remesh_project,
        attr_volume=attr_volume, coords=coords, attr_layout=attr_layout,
    )  # fmt: skip
    turned = vertices.numpy().copy()
    turned[:, 1], turned[:, 2] = turned[:, 2].copy(), -turned[:, 1].copy()
    return painted(turned, faces.numpy(), texture_size)


postprocess = types.SimpleNamespace(to_glb=to_glb)
