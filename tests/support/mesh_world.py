"""A traced photo of the lumpy mesh, with its true layers, so that a generator's mesh has a true place."""

import numpy as np
from lumpy_mesh import lumpy_mesh
from toy_world import intrinsics, textured_picture

from worldtracing.camera import Camera
from worldtracing.data.mesh import Mesh
from worldtracing.data.raycast import RayCaster
from worldtracing.meshing.align import GLTF_TO_CAMERA, Similarity
from worldtracing.world import LayeredWorld

WIDTH, HEIGHT = 120, 96
TRUE_POSE = Similarity(0.8, GLTF_TO_CAMERA, np.array([0.25, -0.12, 2.2]))
"""From the mesh's own frame (glTF's axes, the viewer on +z) to the camera frame."""


def true_mesh(pose=TRUE_POSE):
    """Vertices (V, 3) float32 in the camera frame and faces (F, 3) int32."""
    vertices, faces = lumpy_mesh()
    return pose(vertices).astype(np.float32), faces


def mesh_world(pose=TRUE_POSE):
    """The LayeredWorld that a perfect tracer makes of it, by a camera whose principal point is off the middle."""
    K = intrinsics(WIDTH, HEIGHT, cx=WIDTH / 2 - 9, cy=HEIGHT / 2 + 5)
    vertices, faces = true_mesh(pose)
    layers = RayCaster(Mesh.plain(vertices, faces)).layers(Camera.from_K(K, WIDTH, HEIGHT), np.eye(4))
    points = np.where(layers.valid[..., None], layers.points, 0).astype(np.float32)
    return LayeredWorld(points, layers.valid, textured_picture(WIDTH, HEIGHT), K, "relative")
