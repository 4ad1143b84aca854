import numpy as np
import torch
from fake_generator_log import answer, call
from fake_trimesh import painted

NAMES = [f"{part}_slat_flow_model_{size}" for part in ("shape", "tex") for size in (512, 1024)]


class Mesh:
    """trellis2.representations.MeshWithVoxel."""

    def __init__(self, resolution):
        given = answer()
        self.vertices, self.faces = torch.from_numpy(given["vertices"]), torch.from_numpy(given["faces"])
        self.attrs, self.coords, self.layout, self.voxel_size = "attrs", "coords", "layout", 1 / resolution

    def simplify(self, target):
        call("simplify", target=target)


class Trellis2ImageTo3DPipeline:
    device = torch.device("cpu")
    models = {name: name for name in NAMES}

    @classmethod
    def from_pretrained(cls, path, config_file="pipeline.json"):
        call("from_pretrained", path=path, config_file=config_file)
        return cls()

    def cuda(self):
        call("cuda")

    def preprocess_image(self, input):
        call("preprocess_image", input=input)
        return input.convert("RGB")

    def get_cond(self, image, resolution, include_neg_cond=True):
        call("get_cond", images=len(image), mode=image[0].mode, resolution=resolution)
        return f"cond_{resolution}"

    def sample_shape_slat(self, cond, flow_model, coords, sampler_params={}):  # noqa: B006
        call("sample_shape_slat", cond=cond, flow_model=flow_model, coords=coords, grad=torch.is_grad_enabled())
        self.first_noise = torch.rand(1).item()
        call("noise", value=self.first_noise)
        return "shape"

    def sample_shape_slat_cascade(
        self, lr_cond, cond, flow_model_lr, flow_model, lr_resolution, resolution, coords, sampler_params={},  # noqa: B006
        max_num_tokens=49152,
    ):  # fmt: skip
        call(
            "sample_shape_slat_cascade", lr_cond=lr_cond, cond=cond, flow_model_lr=flow_model_lr, flow_model=flow_model,
            lr_resolution=lr_resolution, resolution=resolution, coords=coords, grad=torch.is_grad_enabled(),
        )  # fmt: skip
        return "shape", resolution - 128 if resolution == 1536 else resolution

    def sample_tex_slat(self, cond, flow_model, shape_slat, sampler_params={}):  # noqa: B006
        call("sample_tex_slat", cond=cond, flow_model=flow_model, shape_slat=shape_slat)
        return "texture"

    def decode_latent(self, shape_slat, tex_slat, resolution):
        call("decode_latent", shape_slat=shape_slat, tex_slat=tex_slat, resolution=resolution)
        return [Mesh(resolution), None]


class Trellis2TexturingPipeline:
    @classmethod
    def from_pretrained(cls, path, config_file="pipeline.json"):
        call("from_pretrained", path=path, config_file=config_file)
        return cls()

    def cuda(self):
        call("cuda")

    def run(
        self, mesh, image, seed=42, tex_slat_sampler_params={}, preprocess_image=True, resolution=1024,  # noqa: B006
        texture_size=2048,
    ):  # fmt: skip
        call(
            "run", vertices=mesh.vertices, faces=np.asarray(mesh.faces), image=image, seed=seed,
            preprocess_image=preprocess_image, resolution=resolution, texture_size=texture_size,
        )  # fmt: skip
        low, high = mesh.vertices.min(0), mesh.vertices.max(0)
        return painted((mesh.vertices - (low + high) / 2) * 0.99999 / (high - low).max(), mesh.faces, texture_size)
