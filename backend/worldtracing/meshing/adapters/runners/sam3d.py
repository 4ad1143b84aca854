"""SAM 3D Objects with a given point map.

Written against notebook/inference.py, sam3d_objects/pipeline/inference_pipeline_pointmap.py and `get_mesh` of
sam3d_objects/pipeline/layout_post_optimization_utils.py of github.com/facebookresearch/sam-3d-objects.
"""

import sys
from pathlib import Path

import numpy as np

NEEDS = ("torch", "sam3d_objects", "pytorch3d", "omegaconf", "hydra")
STAGES = ("Loading SAM 3D Objects", "Reconstructing the object")

CAMERA_TO_PYTORCH3D = np.array([-1, -1, 1], np.float32)  # x right, y down to x left, y up; its own inverse
GLB_TO_LOCAL = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float64)  # y up to z up, for row vectors


def generate(tensors, options, step):
    """
    Args:
        tensors: "rgb" (H, W, 3) uint8; "mask" (H, W) uint8, 1 on the object; "points" (H, W, 3) float32, the visible
            surface in the OpenCV camera frame, NaN where there is none.
        options: config (pipeline.yaml), seed.
        step: called with each stage.

    Returns:
        vertices (V, 3) float32 in the OpenCV camera frame and the point map's units, faces (F, 3) int32, colors
        (V, 3) uint8 sRGB; and facts.
    """
    sys.path.insert(0, str(Path.cwd() / "notebook"))
    import torch
    from inference import Inference

    step(STAGES[0])
    inference = Inference(options["config"], compile=False)
    step(STAGES[1])
    pointmap = torch.from_numpy(tensors["points"] * CAMERA_TO_PYTORCH3D)
    output = inference(tensors["rgb"], tensors["mask"].astype(bool), seed=options["seed"], pointmap=pointmap)
    mesh = output["glb"]
    rotation, translation, scale = (
        np.asarray(output[name].detach().cpu(), np.float64).reshape(-1) for name in ("rotation", "translation", "scale")
    )
    local = np.asarray(mesh.vertices, np.float64) @ GLB_TO_LOCAL
    placed = (local * scale[:3]) @ matrix(rotation[:4]) + translation[:3]  # PyTorch3D: row vectors
    return {
        "vertices": np.ascontiguousarray(placed * CAMERA_TO_PYTORCH3D, np.float32),
        "faces": np.ascontiguousarray(mesh.faces, np.int32),
        "colors": np.ascontiguousarray(np.asarray(mesh.visual.vertex_colors)[:, :3], np.uint8),
    }, {}


def matrix(quaternion):
    """(3, 3) rotation of a (w, x, y, z) quaternion, as pytorch3d.transforms.quaternion_to_matrix has it."""
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
