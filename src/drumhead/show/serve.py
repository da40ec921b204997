"""A folder as a website for this machine alone, by the standard library.

The folder is read once, at the start, into `Page`s by their addresses. A request is a key of that dictionary and never
a path, so no request, however it is written, reaches the file system. Links and hidden files are not read.

What a page of another site could do to a server on loopback: read it under a name of its own that it lets point to
127.0.0.1 (refused: the Host header has to say loopback), or frame it (refused by the policy below).
"""

import gzip
import hashlib
import os
import re
import socketserver
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from drumhead.errors import DrumheadError

LOOPBACK, PORT, NEXT = "127.0.0.1", 8765, 50  # of the ports after the usual one so many are tried
LOCAL = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)  # tunnels have other ports
PATIENCE = 30  # seconds that a connection may be idle
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".gif": "image/gif",
    ".ico": "image/x-icon",
    ".wav": "audio/wav",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
}
PACKED = (".png", ".gif", ".woff2", ".gz", ".pt2")  # nothing is gained by packing them again
POLICY = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "form-action 'none'"
)
ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Page:
    """What stands at one address.

    Attributes:
        content: the bytes.
        kind: its MIME type.
        tag: names the content, for a client that has it already.
    """

    def __init__(self, name: str, content: bytes):
        suffix = Path(name).suffix.lower()
        self.content = content
        self.kind = TYPES.get(suffix, "application/octet-stream")
        self.tag = hashlib.sha256(content).hexdigest()[:32]
        self._packs = len(content) > 1024 and suffix not in PACKED
        self._packed: bytes | None = None
        self._lock = threading.Lock()

    def packed(self) -> bytes | None:
        """Return the content by gzip, made when it is first asked for; None where that would be no shorter."""
        if not self._packs:
            return None
        with self._lock:
            if self._packed is None:
                self._packed = gzip.compress(self.content, 6, mtime=0)
            return self._packed if len(self._packed) < len(self.content) else None


def read_folder(folder: Path, at: str = "") -> dict[str, Page]:
    """Return the files of a folder and those below it, without hidden ones and links.

    Args:
        folder: to read.
        at: what their addresses begin with, as "models/mine/".

    Example:
        >>> sorted(read_folder(Path(dh.__file__).parent / "weights", "w/"))[:1]
        ['w/mnist.safetensors']
    """
    pages = {}
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(place, name) for name in sorted(files) if not name.startswith(".")):
            if path.is_file() and not path.is_symlink():
                name = at + path.relative_to(folder).as_posix()
                pages[name] = Page(name, path.read_bytes())
    return pages


class Server(ThreadingHTTPServer):
    """Serves pages by their addresses, on loopback alone.

    Args:
        pages: from `read_folder`; "index.html" is at "/".
        port: where to listen; None takes 8765 or the next one that is free, 0 any that is free.

    Raises:
        DrumheadError: the port is taken, or not this user's to take.

    Example:
        >>> with Server({"index.html": Page("index.html", b"hello")}, 0) as server:
        ...     server.address.startswith("http://127.0.0.1:")
        True
    """

    daemon_threads = True
    allow_reuse_address = os.name == "posix"  # elsewhere this takes a port that somebody is listening on
    request_queue_size = 64

    def __init__(self, pages: Mapping[str, Page], port: int | None = None):
        self.pages = pages
        why = ""
        for one in range(PORT, PORT + NEXT) if port is None else (port,):
            try:
                super().__init__((LOOPBACK, one), Handler)
                return
            except OSError as error:
                why = error.strerror or str(error)
        what = (
            f"none of the ports {PORT} to {PORT + NEXT - 1} is free"
            if port is None
            else f"port {port} cannot be had: {why}"
        )
        raise DrumheadError(f"{what}; choose another with --port, or --port 0 for any that is free")

    def server_bind(self) -> None:
        """Bind without asking for the machine's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = LOOPBACK, self.server_address[1]

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://{LOOPBACK}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    disable_nagle_algorithm = True
    wbufsize = -1  # head and content in one packet where they fit

    def do_GET(self) -> None:
        """Send a page."""
        self._answer()

    def do_HEAD(self) -> None:
        """Send what a GET would, without the content."""
        self._answer()

    def do_POST(self) -> None:
        """Refuse what could change something."""
        self.send_error(405)

    do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_TRACE = do_CONNECT = do_POST

    def _answer(self) -> None:
        if self.request_version == "HTTP/0.9":  # whose answers have no headers, so no policy
            return self.send_error(400, explain="HTTP/1.0 or newer is needed")
        if self.headers.get("Content-Length", "0").strip() != "0" or "Transfer-Encoding" in self.headers:
            return self.send_error(400, explain="a request with a body; there is nothing to send here")
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1:
            return self.send_error(400, explain="one Host header is needed")
        if not is_loopback(hosts[0]):
            return self.send_error(403, explain=f"this server is for this machine alone; open {self.server.address}")
        page = self.server.pages.get(address_of(self.path))
        if page is None:
            return self.send_error(404)
        content = page.packed() if accepts_gzip(", ".join(self.headers.get_all("Accept-Encoding", []))) else None
        tag = f'"{page.tag}"' if content is None else f'"{page.tag}-gz"'
        known = ", ".join(self.headers.get_all("If-None-Match", []))
        fresh = known.strip() == "*" or tag in (one.strip().removeprefix("W/") for one in known.split(","))
        self.send_response(304 if fresh else 200)
        self.send_header("ETag", tag)
        self.send_header("Vary", "Accept-Encoding")
        self.send_header("Cache-Control", "no-cache")  # kept, but asked for: the next program on this port is another
        if fresh:
            return self.end_headers()
        if content is not None:
            self.send_header("Content-Encoding", "gzip")
        content = page.content if content is None else content
        self.send_header("Content-Type", page.kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Send an error as a line of text and end the connection, so that no body is taken for a request."""
        self.request_version = self.protocol_version  # of a line that was no request it is unknown
        words = self.responses.get(code, ("error", ""))[0]
        text = f"{code} {words}{': ' if explain else ''}{explain or ''}\n".encode("ascii", "replace")
        self.send_response(code, words)
        if code == 405:
            self.send_header("Allow", "GET, HEAD")
        self.send_header("Connection", "close")  # and http.server ends it
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Type", TYPES[".txt"])
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def end_headers(self) -> None:
        """Add what every answer says."""
        for name, value in ALWAYS.items():
            self.send_header(name, value)
        super().end_headers()

    def version_string(self) -> str:
        """Name the program and not the versions below it."""
        return "drumhead"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is the user's."""


def is_loopback(host: str) -> bool:
    """Say whether a Host header names this machine: a name that somebody else owns can lead here as well.

    Example:
        >>> [is_loopback(host) for host in ("localhost:8765", "127.0.0.1", "[::1]:80", "localhost.evil.org", "0.0.0.0")]
        [True, True, True, False, False]
    """
    return LOCAL.fullmatch(host.strip()) is not None


def address_of(target: str) -> str:
    """Return the key that a request's target asks for, decoded once: "index.html" for "/", "" for what is no path.

    Example:
        >>> address_of("/models/a%20b.onnx?x=1"), address_of("/"), address_of("http://a/b")
        ('models/a b.onnx', 'index.html', '')
    """
    path = target.partition("?")[0].partition("#")[0]
    try:
        name = unquote_to_bytes(path[1:]).decode()
    except UnicodeDecodeError:
        return ""
    return (name or "index.html") if path.startswith("/") else ""


def accepts_gzip(header: str) -> bool:
    """Say whether an Accept-Encoding header takes gzip.

    Example:
        >>> [accepts_gzip(header) for header in ("gzip, br", "*", "gzip;q=0, *", "br", "")]
        [True, True, False, False, False]
    """
    weights = {}
    for part in header.lower().split(","):
        coding, _, weight = part.partition(";")
        try:
            weights[coding.strip()] = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            weights[coding.strip()] = 0.0
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def has_display() -> bool:
    """Say whether a browser could be seen here."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def open_browser(address: str) -> None:
    """Ask for a browser, without waiting for it: one in a terminal would keep the server from answering."""
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
