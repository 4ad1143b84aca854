"""A tiny model in the catalogue, its checkpoint, and a hub on this machine."""

import hashlib
import json
import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from worldtracing.model import config as model_config
from worldtracing.model.config import EncoderConfig, ModelConfig
from worldtracing.weights import catalogue
from worldtracing.weights.catalogue import ReleasedModel
from worldtracing.weights.network import build_on_meta
from worldtracing.weights.store import WeightStore

SMALL = {"image_size": 28, "layers": 2, "width": 24, "heads": 2, "head_blocks": 3}
SMALL_ENCODER = EncoderConfig(width=16, depth=4, heads=2, pos_grid=3)
TINY = ModelConfig(name="tiny", blocks=3, encoder=SMALL_ENCODER, **SMALL)
TINY_CLIP = ModelConfig(name="tinyclip", blocks=6, temporal=True, encoder=SMALL_ENCODER, **SMALL)


@pytest.fixture(autouse=True)
def _tiny_models(monkeypatch):
    for config, options in ((TINY, {}), (TINY_CLIP, {"releases": {"2026-06": 0.0, "2026-09": 0.5}})):
        monkeypatch.setitem(model_config.MODELS, config.name, config)
        released = ReleasedModel(config.name, "for tests", f"someone/{config.name}", **options)
        monkeypatch.setitem(catalogue.RELEASED, config.name, released)


@pytest.fixture
def tiny():
    return catalogue.RELEASED["tiny"]


@pytest.fixture
def tiny_clip():
    return catalogue.RELEASED["tinyclip"]


@pytest.fixture
def store(tmp_path):
    return WeightStore(tmp_path / "weights")


@pytest.fixture
def make_state():
    """A function from a configuration to a state dict with values that bf16 cannot hold exactly."""

    torch = pytest.importorskip("torch")

    def make(config, seed=0):
        generator = torch.Generator().manual_seed(seed)
        shapes = {key: tensor.shape for key, tensor in build_on_meta(config).state_dict().items()}
        return {key: torch.randn(shape, generator=generator) for key, shape in shapes.items()}

    return make


@pytest.fixture
def state(make_state):
    return make_state(TINY)


@pytest.fixture
def checkpoint(tmp_path, state):
    path = tmp_path / "model.pt"
    pytest.importorskip("torch").save({"model_state_dict": state}, path)
    return path


class Hub:
    """What a hub does for one file, and how it may go wrong.

    Attributes:
        content: of the file.
        status, error_code: an answer other than the file.
        token: that a request must carry.
        drop_after: close the connection after so many bytes of an answer, `drops` times.
        stall: send half of an answer, then wait for this event; None for no wait.
        ranges: whether Range is honoured.
        redirect: send the file from another host name, as the real hub does.
        files: names that the repository lists; each has the same content.
        requests: (method, path, headers) of all requests.
    """

    def __init__(self, content):
        self.serve(content)
        self.commit = "0123456789abcdef0123456789abcdef01234567"
        self.status, self.error_code, self.token = 200, None, None
        self.drop_after, self.drops, self.ranges, self.redirect = None, 0, True, False
        self.stall = None
        self.is_hub = True
        self.files = []
        self.requests = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self):
                hub.answer(self)

            do_GET = do_HEAD  # noqa: N815

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # clients hang up in the middle
        self.port = self.server.server_port
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def serve(self, content):
        self.content, self.etag = content, hashlib.sha256(content).hexdigest()

    def gets(self):
        return [request for request in self.requests if request[0] == "GET"]

    def answer(self, request):
        self.requests.append((request.command, request.path, dict(request.headers)))
        from_cdn = request.path.startswith("/cdn/")
        refused = self.token and request.headers.get("Authorization") != f"Bearer {self.token}" and not from_cdn
        status, code = (401, "GatedRepo") if refused else (self.status, self.error_code)
        if status != 200:
            request.send_response(status)
            if code:
                request.send_header("X-Error-Code", code)
            request.send_header("Content-Length", "0")
            request.end_headers()
        elif request.path.startswith("/api/"):
            self._list(request)
        elif self.redirect and not from_cdn:
            request.send_response(302)
            request.send_header("Location", f"http://localhost:{self.port}/cdn/file")
            self._describe(request, linked=True)
            request.send_header("Content-Length", "0")
            request.end_headers()
        else:
            self._send(request)

    def _list(self, request):
        siblings = [{"rfilename": name} for name in self.files]
        body = json.dumps({"id": "somebody/something", "siblings": siblings}).encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _describe(self, request, linked):
        if self.is_hub:
            request.send_header("X-Repo-Commit", self.commit)
            request.send_header("X-Linked-Etag" if linked else "ETag", f'"{self.etag}"')
            if linked:
                request.send_header("X-Linked-Size", str(len(self.content)))

    def _send(self, request):
        start, asked = 0, request.headers.get("Range")
        if asked and self.ranges:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        else:
            request.send_response(200)
        body = self.content[start:]
        self._describe(request, linked=False)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command == "HEAD":
            return
        if self.drops:
            self.drops -= 1
            body = body[: self.drop_after]
            request.close_connection = True
        if self.stall:
            request.wfile.write(body[: len(body) // 2])
            self.stall.wait()
            return
        request.wfile.write(body)


@pytest.fixture
def hub(monkeypatch):
    huggingface_hub = pytest.importorskip("huggingface_hub")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "HF_TOKEN", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    huggingface_hub.close_session()  # it has read the environment
    hub = Hub(random.Random(0).randbytes(1_200_000))
    yield hub
    hub.server.shutdown()
    hub.server.server_close()
    huggingface_hub.close_session()
