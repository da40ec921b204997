"""Requests to the playground's server: paths out of the folder, long lines, odd methods, headers and encodings."""

import functools
import socket
import tempfile
import threading
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from attacks import Attack
from attacks.damage import bytes_of, damaged

if TYPE_CHECKING:
    from drumhead.show.serve import Server

SECRET = b"nobody may read this"
PATHS = (
    "/",
    "/index.html",
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/..\\secret.txt",
    "//etc/passwd",
    "/models/../../secret.txt",
    "/%00",
    "/%ff",
    "/link.txt",
    "/.hidden",
    "/?x=%",
    "/#",
    "*",
    "http://127.0.0.1/",
    "/%",
    "/%2",
    "/" + "a" * 5000,
    "/" + "../" * 3000,
    "/ä",
    "/index.html?" + "&" * 70_000,
    "\\\\host\\share",
    "/secret.txt\0.html",
    "/..;/secret.txt",
    "/.%2e/secret.txt",
)
VERSIONS = ("HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/9", "", "HTTP/1.1 x")
METHODS = (
    "GET",
    "GET",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "TRACE",
    "CONNECT",
    "get",
    "",
    "G" * 70_000,
    "__init__",
    "GET\0",
    "ä",
)
HEADERS = (
    "Host: localhost",
    "Host: evil.org",
    "Host:",
    "Host: 127.0.0.1:99999999",
    "Content-Length: 5",
    "Content-Length: -1",
    "Content-Length: x",
    "Transfer-Encoding: chunked",
    "Range: bytes=0-9999999999",
    "If-None-Match: *",
    "Accept-Encoding: gzip;q=nan, *;q=",
    "X: " + "y" * 70_000,
    "Accept-Encoding: gzip;q=" + "9" * 5000,
    "no colon",
    " folded",
    "Connection: keep-alive",
    "Expect: 100-continue",
    ": x",
    "Host: [::1]",
)


@functools.cache
def server() -> "Server":
    """Return a server that runs in this process, of a folder beside a secret."""
    from drumhead.show.serve import Server, read_folder

    root = Path(tempfile.mkdtemp(prefix="served-"))
    (root / "page" / "models").mkdir(parents=True)
    for name, content in (
        ("page/index.html", b"<title>drum</title>" * 99),
        ("secret.txt", SECRET),
        ("page/.hidden", SECRET),
    ):
        (root / name).write_bytes(content)
    (root / "page" / "link.txt").symlink_to(root / "secret.txt")
    made = Server(read_folder(root / "page"), 0)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    return made


def request(random: Random) -> bytes:
    """Return the bytes that are sent."""
    if random.randrange(15) == 0:
        return bytes_of(random, 500)
    many = random.choice((1, 1, 1, 2, 150))
    lines = [f"{random.choice(METHODS)} {random.choice(PATHS)} {random.choice(VERSIONS)}"]
    lines += ["Host: localhost"] * (random.randrange(4) > 0) + [random.choice(HEADERS) for _ in range(many)]
    data = (random.choice(("\r\n", "\r\n", "\n")).join(lines) + "\r\n\r\n").encode("utf-8")
    return damaged(random, data) if random.randrange(3) == 0 else data


def attack(random: Random, folder: Path) -> Attack:
    """Return a request and what sends it."""
    data = request(random)
    place = server().server_address

    def ask() -> None:
        with socket.create_connection(place[:2], timeout=10) as line:  # type: ignore[arg-type]
            answer = _exchange(line, data)
        assert SECRET not in answer
        assert not answer or answer.startswith(b"HTTP/1."), answer[:60]
        if answer.startswith(b"HTTP/1.1 500"):
            raise AssertionError(answer[:200])

    return Attack(ask)


def _exchange(line: socket.socket, data: bytes) -> bytes:
    """Send all, say that it was all, and read to the end; a server may hang up before."""
    answer = b""
    try:
        line.sendall(data)
        line.shutdown(socket.SHUT_WR)
        while piece := line.recv(65536):
            answer += piece
    except TimeoutError:
        raise AssertionError("no answer in 10 s") from None
    except OSError:  # it hung up before all was sent
        pass
    return answer
