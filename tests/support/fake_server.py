"""A small HTTP server on a free port of this machine that answers as a test says and keeps what it was asked."""

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FakeServer:
    """Routes: (method, path without query) to a function of (path with query, body) that gives (status, body)."""

    def __init__(self, routes):
        self.routes, self.asked = routes, []

    def answer(self, method, path, body):
        self.asked.append((method, path, body))
        route = self.routes.get((method, path.partition("?")[0]))
        return route(path, body) if route else (404, b"no such page")

    def bodies(self, path):
        """The JSON bodies of the requests to a path."""
        return [json.loads(body) for _, asked, body in self.asked if asked == path]


@contextlib.contextmanager
def serving(routes):
    """The server, and its address."""
    fake = FakeServer(routes)

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, content = fake.answer(self.command, self.path, body)
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            with contextlib.suppress(OSError):  # the client may be gone
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = handle_any  # noqa: N815

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield fake, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
