"""ComfyUI's own TRELLIS.2 and Pixal3D nodes as a workflow in its API format.

The nodes and their values are those of the template 3d_pixal3d_trellis2_image_to_model of
github.com/Comfy-Org/workflow_templates, without what we know better: the object is cut out and squared here, and the
field of view is the photo's own instead of MoGe's guess. The nodes are comfy_extras/nodes_trellis2.py and
nodes_mesh_postprocess.py of ComfyUI 0.35 and later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MARGIN = {"trellis2": 1.0, "pixal3d": 1.1}
"""Side of the picture relative to the object's longer side, as the template crops for either model."""

CHECKPOINT = {"trellis2": "trellis_2_int8_convrot.safetensors", "pixal3d": "pixal3d_int8_convrot.safetensors"}
VISION_MODELS = {
    "trellis2": ("dino_v3_vit_l.safetensors", "dino_v3_L_naf_fp32.safetensors"),
    "pixal3d": ("dino_v3_L_naf_fp32.safetensors",),  # its upsampler is in this file alone
}
"""Files with the image encoder; any one will do."""

SHAPE_VAE, TEXTURE_VAE = "trellis_2_shape_vae_bf16.safetensors", "trellis_2_texture_vae_bf16.safetensors"

SAVE = "save"
"""Id of the node whose output is the GLB file."""

Link = list  # [id of a node, index of its output]


@dataclass(frozen=True)
class Wish:
    """What one workflow is to make.

    Attributes:
        model: "trellis2" or "pixal3d".
        checkpoint: file of the model among ComfyUI's diffusion models; "" for the template's.
        vision: file of the image encoder, one of `VISION_MODELS`.
        resolution: 512, 1024 or 1536.
        image: name of the uploaded picture.
        fov: horizontal field of view of the picture in degrees.
        seed, faces, texture_size: as in `MeshOptions`.
    """

    model: str
    checkpoint: str
    vision: str
    resolution: int
    image: str
    fov: float
    seed: int
    faces: int
    texture_size: int


@dataclass
class _Graph:
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, kind: str, id: str | None = None, **inputs: Any) -> str:
        id = id or str(len(self.nodes) + 1)
        self.nodes[id] = {"class_type": kind, "inputs": inputs}
        return id


def build_workflow(wish: Wish) -> dict[str, dict[str, Any]]:
    """The value of "prompt" in a request to ComfyUI's /prompt: node id to class_type and inputs."""
    graph = _Graph()
    checkpoint = wish.checkpoint or CHECKPOINT[wish.model]
    model = [graph.add("UNETLoader", unet_name=checkpoint, weight_dtype="default"), 0]
    shape_vae = [graph.add("VAELoader", vae_name=SHAPE_VAE), 0]
    conditions = _conditions(graph, wish)
    structure = _sample_structure(graph, wish, model, shape_vae, conditions)
    latent, conditions = _sample_shape(graph, wish, model, shape_vae, conditions, structure)
    decoded = graph.add("VaeDecodeShapeTrellis", samples=latent, vae=shape_vae)
    colors = _sample_texture(graph, wish, model, conditions, latent, [decoded, 1])
    _finish(graph, wish, [decoded, 0], colors)
    return graph.nodes


def _conditions(graph: _Graph, wish: Wish) -> tuple[Link, Link]:
    """What the picture says, positive and negative."""
    picture = [graph.add("LoadImage", image=wish.image), 0]
    vision = [graph.add("CLIPVisionLoader", clip_name=wish.vision), 0]
    if wish.model == "pixal3d":
        node = graph.add("Pixal3DConditioning", clip_vision_model=vision, image=picture, camera_angle_x=wish.fov)
    else:
        node = graph.add("Trellis2Conditioning", clip_vision_model=vision, image=picture)
    return [node, 0], [node, 1]


def _sample_structure(graph: _Graph, wish: Wish, model: Link, vae: Link, conditions: tuple[Link, Link]) -> Link:
    guided = _guidance(graph, model, start=0.667, rescale=0.7)
    shifted = [graph.add("ModelSamplingSD3", model=guided, shift=5), 0]
    empty = [graph.add("EmptyTrellis2LatentStructure", batch_size=1), 0]
    sampled = _sampler(graph, shifted, wish.seed, 12, 7.5, "normal", conditions, empty)
    return [graph.add("VaeDecodeStructureTrellis2", samples=sampled, vae=vae, resolution="32"), 0]


def _sample_shape(
    graph: _Graph, wish: Wish, model: Link, vae: Link, conditions: tuple[Link, Link], structure: Link
) -> tuple[Link, tuple[Link, Link]]:
    """The shape's latent, and the conditions of the stage that it comes from."""
    guided = _guidance(graph, model, start=0.769, rescale=0.5)
    stage = graph.add("Trellis2ShapeStage", positive=conditions[0], negative=conditions[1], voxel=structure)
    latent = _sampler(graph, guided, wish.seed, 20, 7.5, "normal", ([stage, 0], [stage, 1]), [stage, 2])
    if wish.resolution > 512:
        stage = graph.add(
            "Trellis2UpsampleStage",
            positive=[stage, 0],
            negative=[stage, 1],
            shape_latent=latent,
            vae=vae,
            target_resolution=str(wish.resolution),  # a choice of texts in 0.35, and later a number, which takes both
        )
        latent = _sampler(graph, guided, wish.seed, 12, 7.5, "simple", ([stage, 0], [stage, 1]), [stage, 2])
    return latent, ([stage, 0], [stage, 1])


def _sample_texture(
    graph: _Graph, wish: Wish, model: Link, conditions: tuple[Link, Link], shape: Link, subdivides: Link
) -> Link:
    stage = graph.add("Trellis2TextureStage", positive=conditions[0], negative=conditions[1], shape_latent=shape)
    latent = _sampler(graph, model, wish.seed, 12, 1, "normal", ([stage, 0], [stage, 1]), [stage, 2])
    vae = [graph.add("VAELoader", vae_name=TEXTURE_VAE), 0]
    return [graph.add("VaeDecodeTextureTrellis", samples=latent, vae=vae, shape_subdivides=subdivides), 0]


def _finish(graph: _Graph, wish: Wish, raw: Link, colors: Link) -> None:
    """Remesh, decimate, unwrap, bake and save."""
    remeshed = graph.add(
        "RemeshMesh",
        mesh=raw,
        resolution=min(wish.resolution, 768),
        sign_mode="udf",
        **{f"sign_mode.{name}": False for name in ("qef", "drop_inverted_components", "drop_enclosed_components")},
        band=1,
        project_back=0,
        fix_poles=False,
        smooth_iters=20,
        drop_small_components=0.01,
        precluster_max_verts=20_000_000,
    )
    few = graph.add("DecimateMesh", mesh=[remeshed, 0], target_face_count=wish.faces, placement_mode="midpoint")
    smooth = graph.add("MeshSmoothNormals", mesh=[few, 0], crease_angle=180)
    size = wish.texture_size
    mesh = [
        graph.add("UnwrapMesh", mesh=[smooth, 0], segmenter="pec", resolution=size, padding=1, weld_distance=0.0002),
        0,
    ]
    baked = graph.add("BakeTextureFromVoxel", mesh=mesh, voxel_colors=colors, reference_mesh=raw, texture_size=size)
    maps = {"base_color": [baked, 0], "metallic": [baked, 1], "roughness": [baked, 2]}
    painted = graph.add("ApplyTextureToMesh", mesh=mesh, **maps)
    graph.add("SaveGLB", SAVE, mesh=[painted, 0], filename_prefix="worldtracing/mesh")


def _guidance(graph: _Graph, model: Link, start: float, rescale: float) -> Link:
    """No guidance before `start` of the steps, and less contrast from it after."""
    late = graph.add("CFGOverride", model=model, cfg=1, start_percent=start, end_percent=1)
    return [graph.add("RescaleCFG", model=[late, 0], multiplier=rescale), 0]


def _sampler(
    graph: _Graph,
    model: Link,
    seed: int,
    steps: int,
    cfg: float,
    scheduler: str,
    conditions: tuple[Link, Link],
    latent: Link,
) -> Link:
    node = graph.add(
        "KSampler",
        model=model,
        seed=seed,
        steps=steps,
        cfg=cfg,
        sampler_name="euler",
        scheduler=scheduler,
        positive=conditions[0],
        negative=conditions[1],
        latent_image=latent,
        denoise=1,
    )
    return [node, 0]
