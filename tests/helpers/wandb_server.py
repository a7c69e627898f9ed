"""A server with the part of W&B's protocol that a run and a report need. It records the requests."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ENTITY = "someone"


class Server(ThreadingHTTPServer):
    def __init__(self, reports: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reports = reports  # whether it lets reports be saved
        self.bodies: list[bytes] = []  # of all requests; the key is in their headers alone
        self.runs: dict[str, dict[str, Any]] = {}  # by id: what the runs were said to be
        self.saved: list[dict[str, Any]] = []  # reports

    def handle_error(self, *_: Any) -> None:
        """The client drops connections when it ends."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving(reports: bool = True) -> Iterator[Server]:
    server = Server(reports)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer({})

    def do_PUT(self) -> None:
        self._body()
        self._answer({})

    def do_POST(self) -> None:
        body = self._body()
        if self.path != "/graphql":
            self._answer({})
            return
        asked = json.loads(body)
        found = self._graphql(asked["query"], asked.get("variables") or {})
        self._answer({"data": found} if found is not None else {"errors": [{"message": "no reports here"}]})

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        self.server.bodies.append(body)
        return body

    def _answer(self, value: Any) -> None:
        out = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)

    def _graphql(self, query: str, given: dict[str, Any]) -> dict[str, Any] | None:
        if "upsertView" in query:
            return self._save(given) if self.server.reports else None
        if "upsertBucket" in query:
            known = self.server.runs.setdefault(given["name"], {})
            known |= {name: value for name, value in given.items() if value is not None}
            project = {"id": "P", "name": "raft_exp", "entity": {"id": "E", "name": ENTITY}}
            bucket = {"id": "B", "name": given["name"], "displayName": known.get("displayName"), "config": "{}"}
            return {"upsertBucket": {"inserted": True, "bucket": {**bucket, "historyLineCount": 0, "project": project}}}
        if "createRunFiles" in query:
            files = [{"name": name, "uploadUrl": f"{self.server.url}/upload"} for name in given["files"]]
            return {"createRunFiles": {"runID": "B", "uploadHeaders": [], "files": files}}
        if "createArtifact(" in query:
            sequence = {"id": "S", "latestArtifact": None}
            return {"createArtifact": {"artifact": {"id": "A", "state": "COMMITTED", "artifactSequence": sequence}}}
        if "query ArtifactType" in query:
            return {"project": {"artifact": None}}
        if "ProjectInternalId" in query:
            return {"project": {"id": "P", "internalId": "1"}}
        if "GetProjects" in query:
            return {"models": {"edges": [], "pageInfo": {"endCursor": None, "hasNextPage": False}}}
        if "viewer" in query:
            teams = {"edges": []}
            return {"viewer": {"id": "U", "entity": ENTITY, "username": ENTITY, "flags": "{}", "teams": teams}}
        return {}

    def _save(self, given: dict[str, Any]) -> dict[str, Any]:
        self.server.saved.append({**given, "spec": json.loads(given["spec"])})
        project = {"id": "P", "name": given["projectName"], "entityName": given["entityName"]}
        view = {"id": "Vmlldzox", "type": "runs", "name": given["name"], "project": project, "spec": given["spec"]}
        view |= {"displayName": given["displayName"], "description": given["description"], "updatedAt": None}
        return {"upsertView": {"inserted": True, "view": view}}
