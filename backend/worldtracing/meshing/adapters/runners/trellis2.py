"""TRELLIS.2 from given voxels: its first stage is left out, shape and texture are sampled as its own `run` does.

Written against trellis2/pipelines/trellis2_image_to_3d.py and the README's example of github.com/microsoft/TRELLIS.2.
"""

import numpy as np

from .arrays import mesh_arrays

NEEDS = ("torch", "PIL", "trimesh", "o_voxel", "trellis2")
STAGES = ("Loading TRELLIS.2", "Sampling the shape", "Sampling the texture", "Decoding the mesh", "Baking the texture")
RASTERIZER_FACES = 16_777_216  # the README: what nvdiffrast can take


def generate(tensors, options, step):
    """
    Args:
        tensors: "rgba" (H, W, 4) uint8, "coords" (N, 3) int32 at the resolution of options["pipeline"].
        options: model, pipeline, seed, faces, texture_size.
        step: called with each stage.

    Returns:
        The mesh's tensors in glTF axes within a cube of side 1, and facts.
    """
    import torch
    from PIL import Image
    from trellis2.pipelines import Trellis2ImageTo3DPipeline

    step(STAGES[0])
    pipeline = Trellis2ImageTo3DPipeline.from_pretrained(options["model"])
    pipeline.cuda()
    with torch.no_grad():
        image = pipeline.preprocess_image(Image.fromarray(tensors["rgba"]))
        torch.manual_seed(options["seed"])
        coords = np.pad(tensors["coords"].astype(np.int32), ((0, 0), (1, 0)))  # a leading batch column of zeros
        coords = torch.from_numpy(coords).to(pipeline.device)
        mesh = sample(pipeline, image, coords, options["pipeline"], step)
        step(STAGES[4])
        return mesh_arrays(to_trimesh(mesh, options)), {}


def sample(pipeline, image, coords, kind, step):
    """`Trellis2ImageTo3DPipeline.run` from the point where it has its coordinates."""
    step(STAGES[1])
    models = pipeline.models
    cond_512 = pipeline.get_cond([image], 512)
    cond_1024 = pipeline.get_cond([image], 1024) if kind != "512" else None
    if kind == "512":
        resolution, cond, texture_model = 512, cond_512, models["tex_slat_flow_model_512"]
        shape = pipeline.sample_shape_slat(cond_512, models["shape_slat_flow_model_512"], coords)
    else:
        resolution, cond, texture_model = 1024, cond_1024, models["tex_slat_flow_model_1024"]
        if kind == "1024":
            shape = pipeline.sample_shape_slat(cond_1024, models["shape_slat_flow_model_1024"], coords)
        else:
            low, high = models["shape_slat_flow_model_512"], models["shape_slat_flow_model_1024"]
            shape, resolution = pipeline.sample_shape_slat_cascade(
                cond_512, cond_1024, low, high, 512, int(kind.split("_")[0]), coords
            )
    step(STAGES[2])
    texture = pipeline.sample_tex_slat(cond, texture_model, shape)
    step(STAGES[3])
    return pipeline.decode_latent(shape, texture, resolution)[0]


def to_trimesh(mesh, options):
    """The README's export, short of writing a file."""
    import o_voxel

    mesh.simplify(RASTERIZER_FACES)
    return o_voxel.postprocess.to_glb(
        vertices=mesh.vertices,
        faces=mesh.faces,
        attr_volume=mesh.attrs,
        coords=mesh.coords,
        attr_layout=mesh.layout,
        voxel_size=mesh.voxel_size,
        aabb=[[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]],
        decimation_target=options["faces"],
        texture_size=options["texture_size"],
        remesh=True,
        remesh_band=1,
        remesh_project=0,
        verbose=False,
    )
