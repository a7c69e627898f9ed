"""A local server with OpenAI's chat API whose response to each request is scripted by a test."""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MODEL = "scripted-1"


@dataclass
class Say:
    """A whole reply, after `delay` seconds."""

    text: str = "##Answer: yes"
    finish: str = "stop"
    model: str = MODEL
    delay: float = 0.0
    choices: int = 1
    usage: bool = True
    logprobs: list[float] | None = None  # of the tokens

    def body(self) -> dict[str, Any]:
        message = {"role": "assistant", "content": self.text}
        tokens = None if self.logprobs is None else {"content": [{"token": "a", "logprob": n} for n in self.logprobs]}
        choice = {"index": 0, "message": message, "finish_reason": self.finish, "logprobs": tokens}
        counts = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": self.model,
            "choices": [choice] * self.choices,
            "usage": counts if self.usage else None,
        }


@dataclass
class Refuse:
    """An error response in the protocol's form."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    code: str | None = None
    message: str = "no"


@dataclass
class Break:
    """A faulty response: reset | cut (half a body) | cut_json (a whole body, half a JSON) | drip | hang."""

    how: str


@dataclass
class Body:
    """A response with these bytes as its body; `endless`: they are sent again and again, in chunks."""

    data: bytes
    headers: dict[str, str] = field(default_factory=dict)
    endless: bool = False


Step = Say | Refuse | Break | Body
Script = Callable[[str, int], Step]  # content of the last message, and the number of earlier requests with it


class ScriptedServer:
    """Runs in a thread of its own while the `with` block lasts."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.asked: list[dict[str, Any]] = []  # request bodies, in the order of arrival
        self.keys: set[str] = set()  # values of the header Authorization
        self.proxy_keys: set[str] = set()  # values of Proxy-Authorization, when used as a proxy
        self.at_once = self.most_at_once = 0
        self._times: Counter[str] = Counter()
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "ScriptedServer":
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = started.result(10)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def kill(self) -> None:
        """Closes the port and all connections, as the end of a process does. For use in a script."""
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    def revive(self) -> None:
        """Opens the port of a killed server again. For use in the script of any server."""

        async def start() -> None:
            port = int(self.url.rpartition(":")[2].removesuffix("/v1"))
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)

        asyncio.run_coroutine_threadsafe(start(), self._loop)

    async def _end(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                asked, *lines = head.decode().split("\r\n")
                if asked.startswith("CONNECT"):
                    _send(writer, 407, b"no")
                    return
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
                body = json.loads(await reader.readexactly(int(headers["content-length"])))
                self.asked.append(body)
                self.keys.add(headers.get("authorization", ""))
                self.proxy_keys.add(headers.get("proxy-authorization", ""))
                question = body["messages"][-1]["content"]
                self._times[question] += 1
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                try:
                    await self._answer(self._script(question, self._times[question] - 1), writer)
                finally:
                    self.at_once -= 1
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client has disconnected, or the test has ended
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, step: Step, writer: asyncio.StreamWriter) -> None:
        if isinstance(step, Break):
            await self._break(step.how, writer)
            return
        if isinstance(step, Body):
            await self._send_body(step, writer)
        elif isinstance(step, Say):
            await asyncio.sleep(step.delay)
            _send(writer, 200, json.dumps(step.body()).encode())
        else:
            error = {"error": {"message": step.message, "type": "error", "param": None, "code": step.code}}
            _send(writer, step.status, json.dumps(error).encode(), step.headers)
        await writer.drain()

    async def _send_body(self, step: Body, writer: asyncio.StreamWriter) -> None:
        if not step.endless:
            _send(writer, 200, step.data, step.headers)
            return
        writer.write(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:  # until the client leaves
            writer.write(f"{len(step.data):x}\r\n".encode() + step.data + b"\r\n")
            await writer.drain()

    async def _break(self, how: str, writer: asyncio.StreamWriter) -> None:
        whole = json.dumps(Say().body()).encode()
        if how == "reset":
            writer.transport.abort()
        elif how == "cut":
            _send(writer, 200, whole[:60], length=len(whole))
            writer.close()
        elif how == "cut_json":
            _send(writer, 200, whole[:60])
        elif how == "hang":
            await asyncio.sleep(3600)
        elif how == "drip":
            _send(writer, 200, b"", length=len(whole))
            for place in range(len(whole)):  # each byte arrives within the timeout, the whole body does not
                writer.write(whole[place : place + 1])
                await asyncio.sleep(0.05)


def _send(
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes,
    more: dict[str, str] | None = None,
    length: int | None = None,
) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body) if length is None else length)}
    lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in (headers | (more or {})).items())]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
