"""What several runners do with trimesh's meshes."""

import numpy as np


def mesh_arrays(mesh):
    """Tensors of a textured trimesh: its axes and its texture coordinates (v up) are kept.

    Args:
        mesh: a trimesh.Trimesh with TextureVisuals and a PBRMaterial.
    """
    uv = np.asarray(mesh.visual.uv, np.float32)
    faces = np.ascontiguousarray(mesh.faces, np.int32)
    material = mesh.visual.material
    arrays = {
        "vertices": np.ascontiguousarray(mesh.vertices, np.float32),
        "faces": faces,
        "uvs": np.ascontiguousarray(uv[faces]),
        "base_color": np.array(material.baseColorTexture.convert("RGBA"), np.uint8),
    }
    if getattr(material, "alphaMode", None) in (None, "OPAQUE"):  # glTF: its alpha does not count
        arrays["base_color"][..., 3] = 255
    packed = material.metallicRoughnessTexture
    if packed is not None:  # glTF: roughness is green, metallic is blue
        packed = np.asarray(packed.convert("RGB"), np.uint8)
        arrays["roughness"] = np.ascontiguousarray(packed[..., 1])
        arrays["metallic"] = np.ascontiguousarray(packed[..., 2])
    return arrays
