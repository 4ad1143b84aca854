"""A fake of inference.py of github.com/TencentARC/Pixal3D."""

import torch
from fake_generator_log import answer, call


class Mesh:
    def __init__(self, resolution):
        given = answer()
        self.vertices, self.faces = torch.from_numpy(given["vertices"]), torch.from_numpy(given["faces"])
        self.attrs, self.coords, self.voxel_size = "attrs", "coords", 1 / resolution


class Pixal3DImageTo3DPipeline:
    pbr_attr_layout = "layout"

    def run(
        self, image, camera_params, num_samples=1, seed=42, sparse_structure_sampler_params={},  # noqa: B006
        shape_slat_sampler_params={}, tex_slat_sampler_params={}, preprocess_image=True, return_latent=False,  # noqa: B006
        pipeline_type=None, max_num_tokens=49152,
    ):  # fmt: skip
        call(
            "run", image=image, camera_params=camera_params, seed=seed,
            samplers=[sparse_structure_sampler_params, shape_slat_sampler_params, tex_slat_sampler_params],
            preprocess_image=preprocess_image, return_latent=return_latent, pipeline_type=pipeline_type,
            max_num_tokens=max_num_tokens,
        )  # fmt: skip
        return [Mesh(int(pipeline_type.split("_")[0]))]


def init_pipeline(model_path="TencentARC/Pixal3D", device="cuda", low_vram=False):
    call("init_pipeline", model_path=model_path, low_vram=low_vram)
    return Pixal3DImageTo3DPipeline()
