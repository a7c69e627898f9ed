"""The server that replies after a delay, and the requests to it, for the benchmarks of the client."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raft_exp.engines.client.client import ChatClient
    from raft_exp.engines.client.queue import ChatPrompt

_SERVER = Path(__file__).with_name("teacher_server.py")
_PROMPT = "<passage>\nVelmor {} is a town.\n</passage>\n\nQuestion: When was Velmor {} founded?"


def start(delay: float) -> tuple["subprocess.Popen[str]", str]:
    """Starts a server in a process of its own, which replies after `delay` seconds. Returns it and its address."""
    process = subprocess.Popen(
        [sys.executable, str(_SERVER), str(delay)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    return process, process.stdout.readline().strip()


def client_and_requests(url: str | list[str], requests: int, in_flight: int) -> tuple["ChatClient", "list[ChatPrompt]"]:
    """Returns a client of one server or of several, and different requests."""
    import aiohttp  # noqa: F401  (what the first request of a process would import is not the requests' time)

    from raft_exp.engines.client.client import ChatClient
    from raft_exp.engines.client.protocol import ChatConfig
    from raft_exp.engines.client.queue import ChatPrompt

    config = ChatConfig(
        base_url=url,
        model="scripted-1",
        served_as=None,
        api_key_env=None,
        extra_body={},
        in_flight=in_flight,
        attempts=3,
        timeout=60.0,
        max_requests=None,
    )
    chats = [ChatPrompt(str(n), [{"role": "user", "content": _PROMPT.format(n, n)}]) for n in range(requests)]
    return ChatClient(config), chats
