"""Pixal3D (main branch) with a given camera.

Written against inference.py and pixal3d/pipelines/pixal3d_image_to_3d.py of github.com/TencentARC/Pixal3D.
"""

import math

import numpy as np

from .arrays import mesh_arrays

NEEDS = ("torch", "PIL", "trimesh", "o_voxel", "natten", "pixal3d")
STAGES = ("Loading Pixal3D", "Sampling shape and texture", "Baking the texture")

# The sampler settings that inference.py passes: they are not all the pipeline's own defaults.
SAMPLERS = {
    "sparse_structure_sampler_params": (12, 7.5, 0.7, 5.0),
    "shape_slat_sampler_params": (12, 7.5, 0.5, 3.0),
    "tex_slat_sampler_params": (12, 1.0, 0.0, 3.0),
}


def generate(tensors, options, step):
    """
    Args:
        tensors: "rgb" (N, N, 3) uint8, the object on black, its longest side 1/1.1 of the picture's.
        options: model, fov (radians), resolution, low_vram, seed, faces, texture_size.
        step: called with each stage.

    Returns:
        The mesh's tensors: y up, the camera on +z, in a cube of side 1 whose middle plane fills the picture; and facts.
    """
    import inference
    import torch
    from PIL import Image

    step(STAGES[0])
    pipeline = inference.init_pipeline(model_path=options["model"], low_vram=options["low_vram"])
    step(STAGES[1])
    torch.manual_seed(options["seed"])
    mesh = pipeline.run(
        Image.fromarray(tensors["rgb"]),
        camera_params={
            "camera_angle_x": options["fov"],
            "distance": 0.5 / math.tan(options["fov"] / 2),
            "mesh_scale": 1.0,
        },
        seed=options["seed"],
        preprocess_image=False,
        return_latent=False,
        pipeline_type=f"{options['resolution']}_cascade",
        max_num_tokens=49152,
        **{name: sampler(*values) for name, values in SAMPLERS.items()},
    )[0]
    step(STAGES[2])
    arrays = mesh_arrays(to_trimesh(mesh, pipeline, options))
    x, y, z = arrays["vertices"].T  # to_glb turns TRELLIS.2's z up to y up, but Pixal3D's y is up before
    arrays["vertices"] = np.ascontiguousarray(np.stack([x, -z, y], 1))
    return arrays, {}


def sampler(steps, guidance_strength, guidance_rescale, rescale_t):
    return {
        "steps": steps,
        "guidance_strength": guidance_strength,
        "guidance_rescale": guidance_rescale,
        "rescale_t": rescale_t,
    }


def to_trimesh(mesh, pipeline, options):
    """inference.py's export, short of its rotation and of writing a file."""
    import o_voxel

    return o_voxel.postprocess.to_glb(
        vertices=mesh.vertices,
        faces=mesh.faces,
        attr_volume=mesh.attrs,
        coords=mesh.coords,
        attr_layout=pipeline.pbr_attr_layout,
        grid_size=round(1 / float(mesh.voxel_size)),
        aabb=[[-0.5, -0.5, -0.5], [0.5, 0.5, 0.5]],
        decimation_target=options["faces"],
        texture_size=options["texture_size"],
        remesh=True,
        remesh_band=1,
        remesh_project=0,
    )
