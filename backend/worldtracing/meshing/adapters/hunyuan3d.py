"""Hunyuan3D-2.1 over its API server (api_server.py of github.com/Tencent-Hunyuan/Hunyuan3D-2.1)."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np

from ...errors import WorldTracingError
from ...export.png import png_bytes
from ...progress import OnProgress
from ...world import LayeredWorld
from ..base import GeneratorInfo, Health, MeshOptions, chosen_points
from ..textured import TexturedMesh
from .generated import check_with, describe, front_starts, packages_missing, place, require
from .glb import read_glb
from .picture import object_view, visible_pixels
from .server import Answer, Server, server_options

PICTURE_SIZE = 1024
MARGIN = 1.2
FACES = (1_000, 100_000)  # the request model's limits
CHECK_SECONDS = 3.0


class Hunyuan3DGenerator:
    """Hunyuan3D-2.1, shape and PBR texture, through POST /generate.

    That request answers when the mesh is done, or says that it failed; the server's asynchronous pair, /send and
    /status, never reports a failure. A cancelled request is dropped here; the server finishes its work. The request
    tells the seed and the number of faces, which the versions that we have read do not heed.
    """

    info = GeneratorInfo(
        name="hunyuan3d",
        label="Hunyuan3D-2.1",
        description="Clean shape and PBR texture from the photo alone, through the API server of Hunyuan3D-2.1, "
        "which ignores the seed and the number of faces.",
        licence="Tencent Hunyuan 3D 2.1 Community License; not for use in the EU, the UK and South Korea",
        memory_gib=29.0,
        needs=("scipy", "PIL"),
        heeds=(),
        options=server_options("http://127.0.0.1:8081", 1800.0),
    )

    def check(self, extra: Mapping = {}) -> Health:
        """See `MeshGenerator.check`: whether the server at the address says that it is healthy."""
        return packages_missing(self.info) or check_with(self.info, extra, _answers)

    def generate(
        self, world: LayeredWorld, mask: np.ndarray | None, options: MeshOptions, on_progress: OnProgress
    ) -> TexturedMesh:
        """See `MeshGenerator.generate`.

        Raises:
            WorldTracingError: WT-MESH-EMPTY, WT-MESH-MASK, WT-MESH-HIDDEN, WT-MESH-OPTION, WT-MESH-SERVER,
                WT-MESH-TIMEOUT, WT-MESH-VERSION, WT-MESH-FAILED, and those of `read_glb` and `place`.
        """
        settings = self.info.settings(options.extra)
        require(self.info)
        chosen = chosen_points(world, mask)
        on_progress("Preparing the picture", 0, 1)
        view = object_view(world, visible_pixels(chosen), PICTURE_SIZE, MARGIN)
        server = Server("Hunyuan3D-2.1", settings["address"])

        def tick() -> None:
            on_progress("Hunyuan3D-2.1 makes the mesh", 0, 1)

        _check_health(server, server.request("GET", "/health", tick=tick))
        request = {
            "image": base64.b64encode(png_bytes(view.rgba)).decode("ascii"),
            "remove_background": False,
            "texture": True,
            "seed": options.seed % 2**32,
            "face_count": int(np.clip(options.faces, *FACES)),
        }
        answer = server.request("POST", "/generate", request, seconds=settings["timeout"], tick=tick)
        if answer.status == 422:  # FastAPI: the request does not fit the server's model of it
            raise _other_version(server, f"refuses the request ({answer.body[:200].decode('utf-8', 'replace')})")
        if answer.status != 200:
            details = answer.json()
            text = details.get("text") if isinstance(details, dict) else None
            raise server.failed(str(text or f"HTTP status {answer.status}")[:300])
        on_progress("Aligning the mesh", 0, 1)
        mesh, target = read_glb(answer.body), world.points[chosen]
        metadata = describe(self.info.name, world, options, settings)
        return place(mesh, target, front_starts(mesh, target, view.rotation), turn=True, metadata=metadata)


def _answers(settings: Mapping) -> Health:
    server = Server("Hunyuan3D-2.1", settings["address"], CHECK_SECONDS)
    _check_health(server, server.request("GET", "/health", tick=server.deadline(CHECK_SECONDS)))
    return Health(True, f"{server.label} answers at {server.address}.")


def _check_health(server: Server, answer: Answer) -> None:
    """Raise unless the answer is of the API server: its Gradio app, and older versions, have no /health."""
    health = answer.json()
    if answer.status != 200 or not isinstance(health, dict) or health.get("status") != "healthy":
        raise _other_version(server, "answers, but not as its API server does")


def _other_version(server: Server, sentence: str) -> WorldTracingError:
    return server.wrong_version(sentence, "Start its api_server.py, not its Gradio app or that of Hunyuan3D-2.")
