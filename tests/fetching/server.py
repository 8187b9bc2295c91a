"""A web server on this machine that can behave as badly as real ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote


class Server(ThreadingHTTPServer):
    """Serves ``files``, by their paths without a leading slash, and remembers requests.

    ``behaviour`` has for a path what to do at each request for it, in turn, before serving it:
    an HTTP status; "drop" the connection after half of the content; "stall" there; or "wait"
    until another request arrives.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        self.behaviour: dict[str, list[int | str]] = {}
        self.requests: list[str] = []
        self.raw_paths: list[str] = []
        self.busy = self.most_busy = 0
        self.changed = threading.Condition()
        self.closing = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        pass  # clients of these tests hang up as a matter of course


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        server, path = self.server, unquote(self.path.partition("?")[0]).lstrip("/")
        with server.changed:
            server.requests.append(path)
            server.raw_paths.append(self.path)
            server.busy += 1
            server.most_busy = max(server.most_busy, server.busy)
            steps = server.behaviour.get(path)
            step = steps.pop(0) if steps else None
            server.changed.notify_all()
            if step == "wait":
                server.changed.wait_for(lambda: server.most_busy > 1, 60)
        content = server.files.get(path)
        if isinstance(step, int) or content is None:
            self.reply(step if isinstance(step, int) else 404, b"", None)
        else:
            self.reply(200, content, step)
        with server.changed:
            server.busy -= 1

    def reply(self, status: int, content: bytes, step: int | str | None) -> None:
        self.send_response(status)
        if step == "hide length":
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if step in ("drop", "stall"):
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.server.closing.wait(600 if step == "stall" else 0)
        else:
            self.wfile.write(content)


@contextmanager
def running_server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
