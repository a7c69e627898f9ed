"""vLLM's own server on the loopback address, with the pocket model."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from raft_exp.models import loading
from tests.helpers.command_line import environment


@contextmanager
def pocket(folder: Path) -> Iterator[str]:
    """The server's address; its log stands in the folder."""
    pytest.importorskip("vllm", reason="needs vLLM; its CPU build is enough: make test-vllm")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        loading.resolve("asset:pocket"),
        "--served-model-name",
        "pocket",
        "--port",
        str(port),
        "--host",
        "127.0.0.1",
        "--dtype",
        "float32",
        "--max-model-len",
        "1024",
        "--enforce-eager",
        "--gpu-memory-utilization",
        "0.2",
    ]
    more = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    log = (folder / "server.log").open("w")
    with log, subprocess.Popen(command, env=environment(**more), stdout=log, stderr=log) as process:
        try:
            limit = time.monotonic() + 240
            while not _answers(f"http://127.0.0.1:{port}/health"):
                assert process.poll() is None, (folder / "server.log").read_text()[-3000:]
                assert time.monotonic() < limit, "the server did not start"
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        return bool(urllib.request.urlopen(url, timeout=2).status == 200)
    except OSError:
        return False
