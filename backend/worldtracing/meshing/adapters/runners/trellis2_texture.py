"""TRELLIS.2's texturing of a mesh that exists.

Written against trellis2/pipelines/trellis2_texturing.py and app_texturing.py of github.com/microsoft/TRELLIS.2.
"""

from .arrays import mesh_arrays

NEEDS = ("torch", "PIL", "trimesh", "o_voxel", "cumesh", "nvdiffrast", "trellis2")
STAGES = ("Loading TRELLIS.2", "Painting the mesh")


def generate(tensors, options, step):
    """
    Args:
        tensors: "rgba" (H, W, 4) uint8; "vertices" (V, 3) float32 in glTF axes, the front on +z; "faces" (F, 3) int32.
        options: model, seed, texture_size.
        step: called with each stage.

    Returns:
        The mesh's tensors in glTF axes, its bounding box centred on the origin and of longest side 0.99999; facts.
    """
    import trimesh
    from PIL import Image
    from trellis2.pipelines import Trellis2TexturingPipeline

    step(STAGES[0])
    pipeline = Trellis2TexturingPipeline.from_pretrained(options["model"], config_file="texturing_pipeline.json")
    pipeline.cuda()
    step(STAGES[1])
    mesh = trimesh.Trimesh(vertices=tensors["vertices"], faces=tensors["faces"], process=False)
    image = Image.fromarray(tensors["rgba"])
    textured = pipeline.run(mesh, image, seed=options["seed"], resolution=1024, texture_size=options["texture_size"])
    return mesh_arrays(textured), {}
