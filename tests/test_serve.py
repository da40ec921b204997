"""The playground's server: what it serves, to whom, and that no request reaches what was not read at the start."""

import contextlib
import gzip
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import drumhead as dh
from conftest import call, makes_one_graph
from drumhead.cli import playground
from drumhead.errors import DrumheadError
from drumhead.show import serve
from drumhead.show.serve import Server, read_folder

SECRET = b"nobody may read this"
FILES = {
    "index.html": b"<!doctype html><title>drum</title>",
    "assets/app-1a2b.js": b"export const a = 1\n" * 500,
    "assets/worker.mjs": b"onmessage = () => {}",
    "assets/ort.wasm": b"\0asm" + bytes(range(256)) * 3000,
    "assets/plain.css": b"body{}",
    "assets/noise.bin": b"",
    "models/index.json": b'{"models": ["a b"]}',
    "assets/50%25.txt": b"half",  # a name that looks as if it were encoded
    "models/a b/model.onnx": os.urandom(5000),  # no shorter when it is packed
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("served")
    page = root / "page"
    for name, content in FILES.items():
        (page / name).parent.mkdir(parents=True, exist_ok=True)
        (page / name).write_bytes(content)
    (root / "secret.txt").write_bytes(SECRET)
    (page / ".hidden").write_bytes(SECRET)
    (page / ".git").mkdir()
    (page / ".git" / "config").write_bytes(SECRET)
    (page / "out.txt").symlink_to(root / "secret.txt")
    (page / "up").symlink_to(root)
    (page / "fifo.txt").parent.mkdir(exist_ok=True)
    os.mkfifo(page / "fifo.txt")  # to read it would wait for ever
    return page


@pytest.fixture(scope="module")
def server(folder):
    with Server(read_folder(folder), 0) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(server, target, method="GET", **headers):
    """Return status, headers and body of one request; names of headers have _ for -."""
    client = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    with contextlib.closing(client):
        client.putrequest(method, target, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            client.putheader(name.replace("_", "-"), value)
        client.endheaders()
        answer = client.getresponse()
        return answer.status, answer.headers, answer.read()


def raw(server, data):
    """Send bytes and return everything that comes back until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as wire:
        wire.sendall(data)
        wire.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: wire.recv(65536), b""))


@pytest.mark.parametrize("name", FILES)
def test_files_come_whole_with_their_types(server, name):
    status, headers, body = ask(server, "/" + quote(name))
    assert (status, body) == (200, FILES[name])
    types = {
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".mjs": "text/javascript; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".wasm": "application/wasm",
        ".json": "application/json",
        ".onnx": "application/octet-stream",
        ".bin": "application/octet-stream",
        ".txt": "text/plain; charset=utf-8",
    }
    assert headers["Content-Type"] == types[Path(name).suffix]
    assert int(headers["Content-Length"]) == len(body)


def test_the_start_is_index_and_a_query_changes_nothing(server):
    for target in ("/", "/?v=1", "/index.html?a=/../x"):
        assert ask(server, target)[2] == FILES["index.html"]


@pytest.mark.parametrize("target", ["/", "/nothing", "/models/a%20b/model.onnx"])
def test_every_answer_says_what_the_page_may_do(server, target):
    headers = ask(server, target)[1]
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert policy["connect-src"] == policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["object-src"] == policy["base-uri"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Server"] == "drumhead"


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2E%2E%2Fsecret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/%252e%252e/secret.txt",
        "//secret.txt",
        "/./index.html",
        "/assets/../index.html",
        "/index.html/",
        "/index.html%00",
        "/index.html%00.png",
        "/%00",
        "/%ff%fe",
        "/%c0%ae%c0%ae/secret.txt",  # dots in overlong UTF-8
        "/etc/passwd",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/file:///etc/passwd",
        "/C:/Windows/win.ini",
        "/out.txt",  # a link out of the folder
        "/up/secret.txt",
        "/up/page/index.html",
        "/.hidden",
        "/.git/config",
        "/fifo.txt",
        "/assets",  # no listings
        "/assets/",
        "/models/",
        "/INDEX.HTML",
        "/index.html;a",
        "/assets/50%25.txt",
        "/" + "a" * 9000,
    ],
)
def test_what_is_no_file_of_the_page_is_not_there(server, target):
    status, headers, body = ask(server, target)
    assert status == 404
    assert body == b"404 Not Found\n"
    assert headers["Connection"] == "close"


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1/index.html", "http://evil.org/index.html", "index.html", "*", "../secret.txt"]
)
def test_a_target_that_is_no_path_is_not_there(server, target):
    found = raw(server, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert found.startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_methods_that_change_things_are_refused(server, method):
    status, headers, _ = ask(server, "/", method)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


def test_a_body_is_never_taken_for_a_request(server):
    inner = b"GET /models/index.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for line in (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(inner),
                 b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(inner),
                 b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"):  # fmt: skip
        found = raw(server, line + inner)
        assert found.count(b"HTTP/1.1 ") == 1
        assert re.match(rb"HTTP/1.1 40[05] ", found)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8765", 200),
        ("127.0.0.1:1", 200),  # through a tunnel the port is another
        ("[::1]:8765", 200),
        ("evil.org", 403),
        ("evil.org:8765", 403),
        ("localhost.evil.org", 403),
        ("127.0.0.1.evil.org", 403),
        ("evil.org#localhost", 403),
        ("localhost@evil.org", 403),
        ("0.0.0.0", 403),
        ("127.1", 403),
        ("2130706433", 403),
        ("localhost:", 403),
        ("localhost:80:80", 403),
        ("localhost\u0661", 403),
        ("", 403),
    ],
)
def test_only_loopback_is_answered(server, host, status):
    found, _, body = ask(server, "/", Host=host.encode())
    assert found == status
    if status == 403:
        assert FILES["index.html"] not in body
        assert server.address.encode() in body


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.org\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET / NONSENSE\r\nHost: localhost\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  # a browser that tries https
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 500 + b"\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"b" * 70_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_what_is_no_proper_request_gets_an_error_and_no_page(server, data, capfd):
    found = raw(server, data)
    assert re.match(rb"HTTP/1.1 (400|414|431|501|505) ", found)
    assert b"Content-Security-Policy" in found
    assert b"doctype" not in found
    assert capfd.readouterr().err == ""
    assert ask(server, "/")[0] == 200


def test_a_client_that_leaves_is_nothing_to_talk_about(server, capfd):
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", server.server_port)) as wire:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # ends with a reset
            wire.sendall(b"GET /assets/ort.wasm HTTP/1.1\r\nHost: localhost\r\n\r\n" * 9)
    assert ask(server, "/")[0] == 200
    assert capfd.readouterr().err == ""


def test_gzip_for_those_who_take_it(server, monkeypatch):
    name = "/assets/app-1a2b.js"
    plain = ask(server, name)
    assert "Content-Encoding" not in plain[1]
    for accepted in ("gzip", "deflate, gzip;q=0.5", "*"):
        _, headers, body = ask(server, name, Accept_Encoding=accepted)
        assert headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(body) == plain[2]
        assert int(headers["Content-Length"]) == len(body) < len(plain[2]) / 10
        assert headers["Vary"] == plain[1]["Vary"] == "Accept-Encoding"
        assert headers["ETag"] != plain[1]["ETag"]
    for refused in ("br", "gzip;q=0", "identity", "gzip;q=x"):
        assert "Content-Encoding" not in ask(server, name, Accept_Encoding=refused)[1]
    for small in ("/index.html", "/models/a%20b/model.onnx"):
        assert "Content-Encoding" not in ask(server, small, Accept_Encoding="gzip")[1]
    monkeypatch.setattr(serve.gzip, "compress", lambda *_, **__: pytest.fail("packed twice"))
    assert ask(server, name, Accept_Encoding="gzip")[0] == 200


def test_what_a_client_has_is_not_sent_again(server):
    for accepted in ("identity", "gzip"):
        _, headers, _ = ask(server, "/assets/ort.wasm", Accept_Encoding=accepted)
        assert headers["Cache-Control"] == "no-cache"
        for known in (headers["ETag"], f'"other", W/{headers["ETag"]}', "*"):
            status, again, body = ask(server, "/assets/ort.wasm", Accept_Encoding=accepted, If_None_Match=known)
            assert (status, body, again["ETag"]) == (304, b"", headers["ETag"])
            assert "Content-Security-Policy" in again
        assert ask(server, "/assets/ort.wasm", Accept_Encoding=accepted, If_None_Match='"other"')[0] == 200
    assert len({page.tag for page in server.pages.values()}) == len(FILES)


def test_head_is_get_without_the_content(server):
    for target in ("/assets/app-1a2b.js", "/nothing"):
        for accepted in ("identity", "gzip"):
            full = ask(server, target, Accept_Encoding=accepted)
            head = ask(server, target, "HEAD", Accept_Encoding=accepted)
            assert head[2] == b""
            assert head[0] == full[0]
            dated = ({**dict(answer[1]), "Date": ""} for answer in (head, full))
            assert next(dated) == next(dated)


def test_one_connection_carries_many_requests(server):
    client = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    with contextlib.closing(client):
        for name, content in FILES.items():
            client.request("GET", "/" + quote(name))
            assert client.getresponse().read() == content


def test_parallel_requests_are_all_answered(server):
    names = list(FILES) * 20
    with ThreadPoolExecutor(24) as pool:
        found = list(pool.map(lambda name: ask(server, "/" + quote(name))[2], names))
    assert found == [FILES[name] for name in names]


OPENED: list[str] = []
WATCHING = threading.Event()


def _watch(event, arguments):
    if WATCHING.is_set() and event in ("open", "os.listdir", "os.scandir"):
        OPENED.append(str(arguments[0]))


PIECES = st.sampled_from(
    ["..", ".", "%2e", "%2E%2E", "/", "%2f", "%5c", "\\", "secret.txt", "up", "out.txt", "index.html", "assets", ".git",
     "config", "etc", "passwd", "%00", "%25", "?", "#", ";", "~", "page", "a%20b", "models", "é".encode().hex(), "%zz"]
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(target=st.one_of(st.lists(PIECES, max_size=9).map("".join), st.text("/.%\\:25ef0", max_size=12)))
@example("../secret.txt")
@example("%2e%2e%2fsecret.txt")
def test_no_request_opens_any_file(server, target):
    if not WATCHING.is_set():
        sys.addaudithook(_watch)  # stays until Python ends, so it looks only while it is asked to
    WATCHING.set()
    OPENED.clear()
    try:
        found = raw(server, b"GET /" + target.encode() + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    finally:
        WATCHING.clear()
    assert OPENED == []
    assert SECRET not in found
    head, _, body = found.partition(b"\r\n\r\n")
    assert body in FILES.values() if head.startswith(b"HTTP/1.1 200 ") else re.match(rb"HTTP/1.1 40[04] ", head)


def test_the_secret_is_where_the_requests_look_for_it(folder):
    """Else the tests above would find nothing, whatever the server did."""
    for path in ("../secret.txt", "out.txt", "up/secret.txt", ".hidden", ".git/config"):
        assert (folder / path).read_bytes() == SECRET
    assert sorted(read_folder(folder)) == sorted(FILES)
    assert sorted(read_folder(folder / "models", "m/")) == ["m/a b/model.onnx", "m/index.json"]


def test_a_port_that_is_taken(server, monkeypatch, capsys, folder):
    with pytest.raises(DrumheadError, match=f"port {server.server_port} cannot be had: .*; choose another with --port"):
        Server({}, server.server_port)
    monkeypatch.setattr(serve, "PORT", server.server_port)
    with Server({}) as other:
        assert server.server_port < other.server_port < server.server_port + serve.NEXT
    monkeypatch.setattr(serve, "NEXT", 1)
    with pytest.raises(DrumheadError, match="none of the ports"):
        Server({})
    monkeypatch.setattr(playground, "PAGE", folder)
    assert call("playground", "--port", server.server_port) == 2
    assert call("playground", "--port", 70000) == 2
    assert "--port 70000: 1 to 65535 is needed" in capsys.readouterr().err


def test_it_listens_on_loopback_alone(server):
    assert server.socket.getsockname()[0] == "127.0.0.1"


def test_a_checkout_without_the_page_says_how_to_build_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(playground, "PAGE", tmp_path)
    assert call("playground", "--no-browser") == 2
    error = capsys.readouterr().err
    assert "run 'make page', which needs Node 20 and npm" in error
    assert error.count("\n") == 1


@makes_one_graph
def test_networks_of_ones_own_are_exported_and_leave_no_files(folder, tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    runs = tmp_path / "runs"
    small = dh.CNN(depth=2, width=4, head=(8,), image_channels=1, classes=3)  # the export has tests of its own
    (runs / "my run").mkdir(parents=True)
    dh.save(dh.build(small), runs / "my run" / "weights.safetensors", classes="ground\na\nb")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    pages = read_folder(folder)
    with pytest.raises(DrumheadError, match="no weights at 'nowhere'"):
        playground.add_models(pages, [str(runs / "my run"), "nowhere"])
    assert sorted(pages) == sorted(FILES)
    playground.add_models(pages, ["a b", str(runs / "my run")])
    assert json.loads(pages["models/index.json"].content) == {"models": ["a b", "my-run"]}
    manifest = json.loads(pages["models/my-run/manifest.json"].content)
    assert manifest["name"] == "my-run"
    assert [one["name"] for one in manifest["classes"]] == ["ground", "a", "b"]
    for name, stamp in manifest["files"].items():
        assert hashlib.sha256(pages[f"models/my-run/{name}"].content).hexdigest() == stamp["sha256"]
    assert pages["models/a b/model.onnx"].content == FILES["models/a b/model.onnx"]
    assert not list((tmp_path / "temporary").iterdir())


def test_the_command_prints_its_address_and_ends_quietly(folder):
    code = (
        "import sys, pathlib; from drumhead import cli; from drumhead.cli import playground\n"
        f"playground.PAGE = pathlib.Path({str(folder)!r}); cli.main(['playground', '--port', '0', '--no-browser'])\n"
        "assert 'torch' not in sys.modules"
    )
    running = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        line = running.stdout.readline()
        found = re.fullmatch(r"the playground is at http://127\.0\.0\.1:(\d+)/ \(Ctrl-C ends it\)\n", line)
        assert found, line
        client = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=10)
        with contextlib.closing(client):
            client.request("GET", "/")
            assert client.getresponse().read() == FILES["index.html"]
        running.send_signal(signal.SIGINT)
        out, error = running.communicate(timeout=20)
    finally:
        running.kill()
    assert (running.returncode, out.strip(), error) == (0, "", "")


@pytest.mark.parametrize(("display", "arguments", "opened"), [(":0", [], 1), (":0", ["--no-browser"], 0), ("", [], 0)])
def test_the_browser_is_opened_where_it_can_be_seen(folder, monkeypatch, display, arguments, opened):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(playground, "PAGE", folder)
    seen = []

    def interrupt(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(serve, "open_browser", seen.append)
    monkeypatch.setattr(Server, "serve_forever", interrupt)
    assert call("playground", "--port", 0, *arguments) == 0
    assert len(seen) == opened
