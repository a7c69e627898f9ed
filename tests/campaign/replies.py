"""Replies of a server that are changed at random or made to hurt: none becomes an empty or another answer."""

import asyncio
import gzip
import json
import os
import random
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from raft_exp.core.errors import ServerError
from raft_exp.engines.client.client import ChatClient
from raft_exp.engines.client.protocol import ChatConfig
from raft_exp.engines.client.queue import ChatPrompt
from tests.campaign.table import Row
from tests.helpers.scripted_server import MODEL, Body, Break, Refuse, Say, ScriptedServer, Step

TEXT = "##Answer: forty-two mills, since 1912"
TRIALS = 60  # of each kind
ODD = (None, True, -1, 10**30, 1e308, "", "x" * 5000, [], {}, [None], {"a": 1}, "\x1b[2J\u202e", ["yes"], 0)
MEMORY = 120e6  # bytes: the server's own bodies, and one limited body of the client


def run(folder: Path, seed: int) -> Iterator[Row]:
    """Asks a scripted server; each good question beside the odd one must be answered."""
    generator = random.Random(seed)
    for kind, make in KINDS.items():
        row = Row(kind, "the whole text or one line of error; the other replies stay; memory is limited")
        for trial in range(TRIALS if kind in CHEAP else 3):
            step = make(generator)
            row.add(f"{kind} #{trial}", _problem(step))
        yield row


def _body() -> dict[str, object]:
    return Say(TEXT).body()


def _data() -> bytes:
    return json.dumps(_body()).encode()


def _places(value: object, path: tuple[object, ...] = ()) -> Iterator[tuple[object, ...]]:
    """The paths of all fields of a JSON value."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*path, name)
        yield from _places(part, (*path, name))


def _with_field(generator: random.Random, removed: bool) -> Body:
    """A reply of which one field at any depth is odd or missing."""
    body = _body()
    *way, last = generator.choice(list(_places(body)))
    holder: object = body
    for name in way:
        holder = holder[name]  # type: ignore[index]
    if removed:
        del holder[last]  # type: ignore[attr-defined]
    else:
        holder[last] = generator.choice(ODD)  # type: ignore[index]
    return Body(json.dumps(body).encode())


def _mangled(generator: random.Random) -> Body:
    data = bytearray(_data())
    for _ in range(generator.randrange(1, 4)):
        data[generator.randrange(len(data))] = generator.randrange(256)
    return Body(bytes(data))


def _cut(generator: random.Random) -> Body:
    return Body(_data()[: generator.randrange(len(_data()))])


def _packed(generator: random.Random) -> Body:
    way, packed = generator.choice([("gzip", gzip.compress(_data())), ("deflate", zlib.compress(_data()))])
    if generator.random() < 0.5:
        packed = packed[: generator.randrange(1, len(packed))]
    return Body(packed, {"Content-Encoding": way})


def _refused(generator: random.Random) -> Refuse:
    odd = generator.choice(["\x1b]0;owned\x07", "a\nb\nc", "\u202eabc", "x" * 100_000, ""])
    return Refuse(generator.choice([300, 302, 400, 404, 408, 413, 418, 422, 500, 501, 502, 503, 504, 529]), message=odd)


KINDS: dict[str, Callable[[random.Random], Step]] = {
    "a field of the reply is of another kind": lambda generator: _with_field(generator, removed=False),
    "a field of the reply is missing": lambda generator: _with_field(generator, removed=True),
    "bytes of the reply are changed": _mangled,
    "the reply is cut": _cut,
    "the reply is packed, whole or cut": _packed,
    "the server refuses, with an odd message": _refused,
    "the connection breaks": lambda generator: Break(generator.choice(["reset", "cut", "cut_json"])),
    "the reply unpacks to a gigabyte": lambda _: Body(gzip.compress(b"0" * 2**24) * 64, {"Content-Encoding": "gzip"}),
    "the reply never ends": lambda _: Body(b" " * 65536, endless=True),
    "the reply has 20 MB of blanks": lambda _: Body(b" " * 20_000_000),
    "the reply nests 100,000 lists": lambda _: Body(b"[" * 100_000),
}
CHEAP = tuple(KINDS)[:7]


def _problem(step: Step) -> str:
    """What is wrong with the replies to five questions, the third of which gets this step at every attempt."""
    found: dict[str, str] = {}
    told = ""

    async def collect(client: ChatClient) -> None:
        prompts = [ChatPrompt(f"q{number}", [{"role": "user", "content": f"q{number}"}]) for number in range(5)]
        async for name, reply in client.replies(prompts, {}):
            found[name] = reply.text

    os.environ["SCRIPTED_KEY"] = "planted-0123456789"
    with ScriptedServer(lambda question, _: step if question == "q2" else Say(TEXT)) as server:
        config = ChatConfig(
            base_url=server.url,
            model=MODEL,
            served_as=None,
            api_key_env="SCRIPTED_KEY",
            extra_body={},
            in_flight=1,
            attempts=1,
            timeout=20.0,
            max_requests=None,
            max_reply_megabytes=4.0,
        )
        tracemalloc.start()
        try:
            asyncio.run(collect(ChatClient(config)))
        except ServerError as error:
            told = str(error)
        except Exception as error:  # any other exception is what the campaign looks for
            return f"{type(error).__name__}: {error}"
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    if told and not told.isprintable():
        return f"the error is not one printable line: {told[:200]!r}"
    if "q2" in found and found["q2"] != TEXT:
        return _other_text(step, found["q2"])
    if "q2" not in found and not told:
        return "no reply and no error"
    if missing := {"q0", "q1"} - found.keys():
        return f"replies before it were lost: {missing}"
    return f"{peak / 1e6:.0f} MB of memory" if peak > MEMORY else ""


def _other_text(step: Step, text: str) -> str:
    """ "" where the server itself sent this text as the message's content."""
    try:
        sent = json.loads(step.data)["choices"][0]["message"] if isinstance(step, Body) else {}
        content = sent["content"]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        content = None
    stated = content if isinstance(content, str) else None
    return (
        "" if stated is not None and stated.strip() == text.strip() else f"another answer to {content!r}: {text[:80]!r}"
    )
