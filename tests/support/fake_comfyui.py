"""ComfyUI as its HTTP API shows it: server.py's routes, and of each node what the workflow of the adapter needs.

The inputs are those of ComfyUI's own sources: nodes.py, comfy_extras/nodes_trellis2.py and nodes_mesh_postprocess.py.
"""

import json
import re

NODES = {
    "LoadImage": "image",
    "UNETLoader": "unet_name weight_dtype",
    "VAELoader": "vae_name",
    "CLIPVisionLoader": "clip_name",
    "CFGOverride": "model cfg start_percent end_percent",
    "RescaleCFG": "model multiplier",
    "ModelSamplingSD3": "model shift",
    "KSampler": "model seed steps cfg sampler_name scheduler positive negative latent_image denoise",
    "Trellis2Conditioning": "clip_vision_model image",
    "Pixal3DConditioning": "clip_vision_model image camera_angle_x",
    "EmptyTrellis2LatentStructure": "batch_size",
    "VaeDecodeStructureTrellis2": "samples vae resolution",
    "Trellis2ShapeStage": "positive negative voxel",
    "Trellis2UpsampleStage": "positive negative shape_latent vae target_resolution",
    "Trellis2TextureStage": "positive negative shape_latent",
    "VaeDecodeShapeTrellis": "samples vae",
    "VaeDecodeTextureTrellis": "samples vae shape_subdivides",
    "RemeshMesh": "mesh resolution sign_mode band project_back fix_poles smooth_iters drop_small_components "
    "precluster_max_verts",
    "DecimateMesh": "mesh target_face_count placement_mode",
    "MeshSmoothNormals": "mesh crease_angle",
    "UnwrapMesh": "mesh segmenter resolution padding weld_distance",
    "BakeTextureFromVoxel": "mesh voxel_colors texture_size",
    "ApplyTextureToMesh": "mesh base_color",
    "SaveGLB": "mesh filename_prefix",
}
OPTIONAL = {"BakeTextureFromVoxel": "reference_mesh", "ApplyTextureToMesh": "metallic roughness occlusion normal_map"}
FILES = {
    "unet_name": ["pixal3d_int8_convrot.safetensors", "trellis_2_int8_convrot.safetensors"],
    "vae_name": ["trellis_2_shape_vae_bf16.safetensors", "trellis_2_texture_vae_bf16.safetensors"],
    "clip_name": ["dino_v3_L_naf_fp32.safetensors"],
}
JOB = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


class FakeComfyUI:
    """Routes for `serving`. A job waits for one look at the queue, runs for another, and is then done.

    Attributes:
        nodes: names of the nodes' inputs; a test may take some away.
        ending: the job's entry in the history, "never" to go on running, or "lost".
        picture: the body of the upload.
        prompt: the workflow that was queued.
    """

    def __init__(self, result=b""):
        self.nodes, self.files, self.result = dict(NODES), dict(FILES), result
        self.ending = {"status": {"status_str": "success", "completed": True, "messages": []}, "outputs": {}}
        self.ending["outputs"]["save"] = {"3d": [{"filename": "mesh_00001_.glb", "subfolder": "wt", "type": "output"}]}
        self.picture = self.prompt = None
        self.looks = 0
        self.withdrawn = []
        self.routes = {
            ("GET", "/system_stats"): lambda path, body: (200, {"system": {"comfyui_version": "0.38.0"}}),
            ("POST", "/upload/image"): self.upload,
            ("POST", "/prompt"): self.queue_prompt,
            ("GET", "/queue"): self.queue,
            ("GET", f"/history/{JOB}"): self.history,
            ("GET", "/view"): lambda path, body: (200, self.result),
            ("POST", "/queue"): lambda path, body: self.withdraw("queue", body),
            ("POST", "/interrupt"): lambda path, body: self.withdraw("interrupt", body),
        }
        for name in NODES:
            self.routes["GET", f"/object_info/{name}"] = self.object_info

    def object_info(self, path, body):
        name = path.rpartition("/")[2]
        if name not in self.nodes:
            return 200, {}
        required = {given: self.offer(name, given) for given in self.nodes[name].split()}
        optional = {given: ["IMAGE", {}] for given in OPTIONAL.get(name, "").split()}
        return 200, {name: {"input": {"required": required, "optional": optional}, "name": name}}

    def offer(self, node, name):
        files = self.files.get(name)
        if files is None:
            return ["ANY", {}]
        # Old nodes list the choices themselves, new ones under "options".
        return [files, {}] if node == "VAELoader" else ["COMBO", {"options": files}]

    def upload(self, path, body):
        self.picture = body
        name = re.search(rb'filename="([^"]+)"', body)[1].decode()
        return 200, {"name": name, "subfolder": "", "type": "input"}

    def queue_prompt(self, path, body):
        self.prompt = json.loads(body)["prompt"]
        return 200, {"prompt_id": JOB, "number": 1, "node_errors": {}}

    def queue(self, path, body):
        self.looks += 1
        running = [[1, JOB, {}, {}, []]] if self.looks == 2 or (self.ending == "never" and self.looks > 1) else []
        pending = [[1, JOB, {}, {}, []]] if self.looks == 1 else []
        return 200, {"queue_running": running, "queue_pending": pending}

    def history(self, path, body):
        done = self.looks > 2 and isinstance(self.ending, dict)
        return 200, {JOB: self.ending} if done else {}

    def withdraw(self, where, body):
        self.withdrawn.append((where, json.loads(body)))
        return 200, b""
