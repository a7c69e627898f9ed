"""A minimal teacher's server with an exact delay, so that a benchmark measures the client alone.

    python benchmarks/teacher_server.py DELAY     prints its address; ends, with the mean of its delays, when stdin does

epoll, the loop's usual way to wait, counts in milliseconds, too coarse beside 50; select counts in microseconds.
"""

import asyncio
import json
import selectors
import sys
import time
from pathlib import Path
from typing import ClassVar

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.helpers.scripted_server import Say
from tests.helpers.scripted_teacher import good


class Connection(asyncio.Protocol):
    """Reads one request after the other, and answers each `delay` seconds after its last byte."""

    waited: ClassVar[list[float]] = []  # seconds, of all connections

    def __init__(self, delay: float) -> None:
        self._delay, self._data = delay, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, end, body = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(None, 1)[0])
        if len(body) >= length:
            self._data = body[length:]
            came = time.monotonic()
            question = json.loads(body[:length])["messages"][-1]["content"]
            reply = json.dumps(Say(good(question).text).body()).encode()
            asyncio.get_running_loop().call_at(came + self._delay, self._answer, reply, came)

    def _answer(self, reply: bytes, came: float) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(reply)}\r\n\r\n"
        self._transport.write(head.encode() + reply)
        self.waited.append(time.monotonic() - came)


async def main() -> None:
    delay = float(sys.argv[1])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(delay), "127.0.0.1", 0, backlog=1000)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(sum(Connection.waited) / max(1, len(Connection.waited)))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        runner.run(main())
