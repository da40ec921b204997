"""A small Hugging Face Hub on this machine's loopback: repositories in memory, with the routes that a client calls."""

import base64
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_local"


class Hub:
    """What the server knows.

    Attributes:
        repositories: USER/NAME -> branch -> list of commits, each name -> bytes; the last one is shown.
        private: USER/NAME of those that need the token.
        large: what is named so goes as a large file, through a place of its own, as the real Hub wants of weights.
        requests: method and path of all that was asked.
    """

    def __init__(self, large=()):
        self.repositories, self.private, self.large, self.blobs, self.requests = {}, set(), set(large), {}, []

    def commit(self, name, branch, files):
        branches = self.repositories[name]
        commits = branches.setdefault(branch, [{}])
        commits.append({**commits[-1], **files})
        return self.oid(name, branch)

    def oid(self, name, branch):
        return hashlib.sha1(f"{name}@{branch}#{len(self.repositories[name][branch])}".encode()).hexdigest()


def handler(hub):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, status, content=None, headers=(), error=""):
            data = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            if error:
                self.send_header("X-Error-Code", error)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def known(self):
            return self.headers.get("Authorization") == f"Bearer {TOKEN}"

        def body(self):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def do_POST(self):
            hub.requests.append(("POST", self.path))
            data = self.body()
            if self.path == "/api/validate-yaml":
                assert json.loads(data)["content"].startswith("---\n")
                return self.answer(200, {"errors": [], "warnings": []})
            if not self.known():
                return self.answer(401)
            if self.path == "/api/repos/create":
                wanted = json.loads(data)
                name = f"{wanted.get('organization') or 'ada'}/{wanted['name']}"
                if name.startswith("nobody/"):
                    return self.answer(403, {"error": "You don't have the rights to create a model here"})
                new = name not in hub.repositories
                if new:
                    hub.repositories[name] = {"main": [{}]}
                    if wanted.get("private") or wanted.get("visibility") == "private":
                        hub.private.add(name)
                return self.answer(200 if new else 409, {"url": f"http://{self.headers['Host']}/{name}"})
            if found := re.fullmatch(r"/api/models/(.+)/branch/(.+)", self.path):
                new = found[2] not in hub.repositories[found[1]]
                hub.repositories[found[1]].setdefault(found[2], [{}])
                return self.answer(201 if new else 409)
            if found := re.fullmatch(r"/api/models/(.+)/preupload/(.+)", self.path):
                names = [file["path"] for file in json.loads(data)["files"]]
                modes = {name: "lfs" if name in hub.large else "regular" for name in names}
                files = [{"path": n, "uploadMode": mode, "shouldIgnore": False} for n, mode in modes.items()]
                return self.answer(200, {"files": files})
            if self.path.endswith(".git/info/lfs/objects/batch"):
                href = f"http://{self.headers['Host']}/upload/"
                objects = [
                    {**one, "actions": {"upload": {"href": href + one["oid"]}}} for one in json.loads(data)["objects"]
                ]
                return self.answer(200, {"transfer": "basic", "objects": objects})
            if found := re.fullmatch(r"/api/models/(.+)/commit/(.+)", self.path):
                files = {}
                for line in map(json.loads, data.decode().splitlines()):
                    if line["key"] == "file":
                        files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                    elif line["key"] == "lfsFile":
                        files[line["value"]["path"]] = hub.blobs[line["value"]["oid"]]
                oid = hub.commit(found[1], found[2], files)
                address = f"http://{self.headers['Host']}/{found[1]}/commit/{oid}"
                return self.answer(200, {"success": True, "commitOid": oid, "commitUrl": address, "hookOutput": ""})
            return self.answer(404)

        def do_PUT(self):
            data = self.body()
            assert self.path == f"/upload/{hashlib.sha256(data).hexdigest()}"
            hub.blobs[self.path.rpartition("/")[2]] = data
            self.answer(200)

        def do_GET(self):
            hub.requests.append((self.command, self.path))
            found = re.fullmatch(r"/(.+?/.+?)/resolve/([^/]+)/(.+)", self.path)
            if not found or found[1] not in hub.repositories or (found[1] in hub.private and not self.known()):
                return self.answer(401 if found and not self.known() else 404, error="RepoNotFound")
            branches = hub.repositories[found[1]]
            by_oid = {hub.oid(found[1], branch): branch for branch in branches}
            branch = by_oid.get(found[2], found[2])
            if branch not in branches:
                return self.answer(404, error="RevisionNotFound")
            data = branches[branch][-1].get(found[3])
            headers = [("X-Repo-Commit", hub.oid(found[1], branch))]
            if data is None:
                return self.answer(404, headers=headers, error="EntryNotFound")
            return self.answer(200, data, [*headers, ("ETag", f'"{hashlib.sha1(data).hexdigest()}"')])

        do_HEAD = do_GET

    return Handler


@contextmanager
def serving(hub):
    """Serve the repositories on a free port of the loopback; yield the server's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(hub))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
