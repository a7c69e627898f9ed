"""What a server may do to a client: every good reply is kept, and the end is one clear line."""

import asyncio
import base64
import email.utils
import gzip
import json
import re
import socket
import time
import tracemalloc
import zlib

import pytest
from pydantic import ValidationError

from raft_exp.core.errors import ConfigError, ServerError, StoreError
from raft_exp.engines.client import client as chat_client
from raft_exp.engines.client.client import ChatClient
from raft_exp.engines.client.protocol import ChatConfig
from raft_exp.engines.client.queue import ChatPrompt
from tests.helpers.scripted_server import MODEL, Body, Break, Refuse, Say, ScriptedServer

KEY = "sk-planted-0123456789abcdef"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(chat_client, "_FIRST_WAIT", 0.01)
    monkeypatch.setenv("SCRIPTED_KEY", KEY)


def config(url: str, **changes) -> ChatConfig:
    settings = {
        "base_url": url,
        "model": MODEL,
        "served_as": None,
        "api_key_env": "SCRIPTED_KEY",
        "extra_body": {},
        "in_flight": 8,
        "attempts": 4,
        "timeout": 5.0,
        "max_requests": None,
    }
    return ChatConfig(**settings | changes)


def chats(count: int) -> list[ChatPrompt]:
    return [ChatPrompt(f"q{number}", [{"role": "user", "content": f"q{number}"}]) for number in range(count)]


def ask(script, count: int = 30, **changes):
    """(replies by id, the ServerError's line or "", the server)."""

    async def collect(client):
        async for name, reply in client.replies(chats(count), {"temperature": 0}):
            assert name not in found
            found[name] = reply

    found, told = {}, ""
    with ScriptedServer(script) as server:
        try:
            asyncio.run(collect(ChatClient(config(server.url, **changes))))
        except ServerError as error:
            told = str(error)
    assert KEY not in told
    assert "\n" not in told
    return found, told, server


def test_replies_come_with_their_ids_and_counts():
    found, told, server = ask(
        lambda question, _: Say(f"to {question}", delay=0.01), extra_body={"seed": 1, "top_p": None}
    )
    assert told == ""
    assert {name: reply.text for name, reply in found.items()} == {f"q{i}": f"to q{i}" for i in range(30)}
    assert (found["q0"].prompt_tokens, found["q0"].new_tokens, found["q0"].finish) == (11, 3, "stop")
    assert server.asked[0].keys() == {"model", "messages", "temperature", "seed"}
    assert server.keys == {f"Bearer {KEY}"}
    assert 1 < server.most_at_once <= 8


def test_they_come_one_by_one_and_not_at_the_end():
    seen = []

    async def some(client):
        async for name, _ in client.replies(chats(4), {}):
            seen.append(name)
            if len(seen) == 3:
                return

    with ScriptedServer(lambda question, _: Break("hang") if question == "q2" else Say()) as server:
        asyncio.run(asyncio.wait_for(some(ChatClient(config(server.url, in_flight=2))), 10))
    assert sorted(seen) == ["q0", "q1", "q3"]


ONCE = {
    "500": Refuse(500),
    "429": Refuse(429),
    "429, come back at once": Refuse(429, {"Retry-After": "0"}),
    "503 with a date": Refuse(503, {"Retry-After": email.utils.formatdate(0, usegmt=True)}),
    "reset": Break("reset"),
    "cut": Break("cut"),
    "cut JSON": Break("cut_json"),
    "no choices": Say(choices=0),
    "drip": Break("drip"),
    "hang": Break("hang"),
}


@pytest.mark.parametrize("trouble", ONCE)
def test_trouble_that_passes_is_survived(trouble):
    def script(question, times):
        return ONCE[trouble] if times == 0 and question in ("q3", "q7") else Say(f"to {question}")

    found, told, server = ask(script, count=10, timeout=3.0)
    assert told == ""
    assert {name: reply.text for name, reply in found.items()} == {f"q{i}": f"to q{i}" for i in range(10)}
    assert len(server.asked) == 12


LASTING = {
    "status 500: no": Refuse(500),
    "status 400: too long": Refuse(400, message="too long"),
    "no connection": Break("reset"),
    "the reply is not JSON": Break("cut_json"),
    "the reply has no field choices[0].message": Say(choices=0),
    "no complete reply within timeout=2 s": Break("drip"),
}


@pytest.mark.slow
@pytest.mark.parametrize("reason", LASTING)
def test_trouble_that_lasts_is_bounded_and_the_others_are_kept(reason):
    found, told, server = ask(lambda question, _: LASTING[reason] if question == "q3" else Say(), count=10, timeout=2.0)
    assert set(found) == {f"q{i}" for i in range(10)} - {"q3"}
    assert f"1 of 10 requests got no usable reply (first: q3: {reason}" in told
    assert "repeat the command, which requests only the missing ones" in told
    assert len(server.asked) == (10 if "400" in reason else 13)


def test_a_limit_is_waited_for_by_all():
    times = []

    def script(question, before):
        times.append(time.monotonic())
        return Refuse(429, {"Retry-After": "0.6"}) if len(times) == 1 else Say()

    found, told, _ = ask(script, count=20, in_flight=1)
    assert (len(found), told) == (20, "")
    assert times[1] - times[0] >= 0.6


def test_a_limit_that_lets_others_through_is_no_failure():
    def script(question, times):  # the last one is told to wait more often than it may fail
        return Refuse(429, {"Retry-After": "0"}) if question == "q0" and times < 12 else Say(delay=0.005)

    found, told, _ = ask(script, count=60, in_flight=2, attempts=3)
    assert (len(found), told) == (60, "")


ENDS = {
    "the server does not accept the key in SCRIPTED_KEY (status 401)": Refuse(401, message=f"Incorrect API key: {KEY}"),
    "the account has no credit left": Refuse(429, code="insufficient_quota"),
    "the reply comes from the model 'other', but model='scripted-1' was requested": Say(model="other"),
    "the server accepts the next request only after 86400 s": Refuse(429, {"Retry-After": "86400"}),
    "20 requests in a row got no usable reply (last: q": Refuse(400, message=f"bad {KEY}"),
    "status 402: no credit": Refuse(402, message="no credit"),
}


@pytest.mark.parametrize("reason", ENDS)
def test_what_cannot_get_better_ends_the_run(reason):
    good = {f"q{i}" for i in range(5)}
    found, told, server = ask(lambda question, _: Say() if question in good else ENDS[reason], count=500, in_flight=4)
    assert set(found) == good
    assert reason in told
    assert "after 5 good replies" in told
    assert len(server.asked) < 40


STARTS = {
    "status 404: the server has no model='scripted-1'": Refuse(404),
    "status 307: the server redirects to https://elsewhere/v1; set base_url": Refuse(
        307, {"Location": "https://elsewhere/v1"}
    ),
}


@pytest.mark.parametrize("reason", STARTS)
def test_a_wrong_address_ends_the_run_at_its_first_request(reason):
    found, told, server = ask(lambda *_: STARTS[reason], count=500, in_flight=4)
    assert (found, reason in told) == ({}, True)
    assert len(server.asked) <= 4


@pytest.mark.parametrize("reason", STARTS)
def test_a_network_that_asks_for_a_login_meanwhile_does_not_end_the_run(reason):
    portal = Body(b"<html>log in</html>")

    def script(question, times):
        number = int(question[1:])
        return Say() if times or number < 50 or number % 10 > 1 else (STARTS[reason], portal)[number % 10]

    found, told, _ = ask(script, count=200)
    assert (len(found), told) == (200, "")


def test_a_server_that_hangs_after_a_healthy_start():
    found, told, server = ask(
        lambda question, _: Say() if int(question[1:]) < 40 else Break("hang"),
        count=500,
        in_flight=32,
        attempts=2,
        timeout=0.3,
    )
    assert set(found) == {f"q{i}" for i in range(40)}
    assert "requests in a row got no usable reply" in told
    assert len(server.asked) <= 40 + 4 * 32


def test_a_server_that_is_not_there():
    with ScriptedServer(lambda *_: Say()) as server:
        gone = config(server.url, attempts=2)

    async def collect():
        return [one async for one in ChatClient(gone).replies(chats(40), {})]

    with pytest.raises(ServerError, match=r"20 requests in a row got no usable reply \(last: q\d+: no connection"):
        asyncio.run(collect())


def test_what_fails_while_the_workers_start_ends_the_start():
    class Broken:
        taken = 0

        def __iter__(self):
            return self

        def __next__(self):
            self.taken += 1
            if self.taken == 4:
                raise StoreError("the fourth cannot be read")
            return ChatPrompt(f"q{self.taken}", [{"role": "user", "content": "q"}])

    broken = Broken()

    async def collect(client):
        return [one async for one in client.replies(broken, {})]

    with ScriptedServer(lambda *_: Say(delay=30)) as server, pytest.raises(StoreError, match="the fourth"):
        asyncio.run(collect(ChatClient(config(server.url, in_flight=500))))
    assert broken.taken <= 6


def test_max_requests_counts_every_attempt():
    found, told, server = ask(lambda question, times: Refuse(500) if times == 0 else Say(), count=30, max_requests=20)
    assert "engine.max_requests allows no more requests (20 were sent); raise it, or set it to null" in told
    assert len(server.asked) == 20
    assert len(found) < 20


def test_a_withheld_reply_says_so():
    def script(question, _):
        if question in ("q1", "q4"):
            return Refuse(400 if question == "q1" else 403, code="content_filter")
        return Say("half a", finish={"q2": "content_filter", "q3": "length"}.get(question, "stop"))

    found, told, _ = ask(script, count=5)
    assert told == ""
    assert [found[f"q{i}"].finish for i in range(5)] == ["stop", "filtered", "filtered", "length", "filtered"]


@pytest.mark.parametrize(
    ("asked", "served_as", "named", "same"),
    [
        ("gpt-4", None, "gpt-4-0613", True),
        ("gpt-4o", None, "gpt-4o-2024-08-06", True),
        ("openai/gpt-4o", None, "gpt-4o", True),
        ("gpt-4", None, "gpt-4-turbo", False),
        ("gpt-4", None, "gpt-4o", False),
        ("mine", "gpt-4*", "gpt-4-turbo", True),
        ("mine", "gpt-4*", "mine", False),
    ],
)
def test_which_names_are_the_model_that_was_asked(asked, served_as, named, same):
    _, told, _ = ask(lambda *_: Say(model=named), count=1, model=asked, served_as=served_as)
    assert (told == "") == same


def test_a_key_that_is_not_there(monkeypatch):
    monkeypatch.delenv("SCRIPTED_KEY")
    with pytest.raises(ConfigError, match=r"teacher\.api_key_env: got 'SCRIPTED_KEY', but .* is not set"):
        ChatClient(config("http://localhost/v1"), "teacher")
    assert ChatClient(config("http://localhost/v1", api_key_env=None))


@pytest.mark.parametrize(
    "changes", [{"api_key_env": KEY}, {"base_url": f"http://me:{KEY}@host/v1"}, {"base_url": "host"}]
)
def test_a_secret_in_the_settings_is_refused_and_not_repeated(changes):
    with pytest.raises(ValidationError, match=r"api_key_env|base_url") as error:
        config(
            **{"url": "http://localhost/v1"}
            | {name.replace("base_url", "url"): value for name, value in changes.items()}
        )
    assert KEY not in str(error.value.errors()[0]["ctx"]["error"])


BODIES = {
    "a byte order mark": (b"\xef\xbb\xbf" + json.dumps(Say().body()).encode(), ""),
    "nested without an end": (b'{"a":' * 100_000, "the reply is not JSON"),
}


@pytest.mark.parametrize("body", BODIES)
def test_bodies_that_are_out_of_the_ordinary(body):
    sent, problem = BODIES[body]
    _, told, _ = ask(lambda *_: Body(sent), count=2, attempts=1)
    assert problem in told
    assert bool(problem) == bool(told)


def with_message(message: dict, finish: str = "stop", usage: object = None) -> Body:
    """A reply with this message, and perhaps other counts."""
    body = Say(finish=finish).body()
    body["choices"][0]["message"] = {"role": "assistant", **message}
    if usage is not None:
        body["usage"] = usage
    return Body(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": [{"type": "text", "text": "##Answer: "}, {"type": "text", "text": "yes"}]}, "##Answer: yes"),
        ({"content": [{"type": "reasoning", "text": "hm"}, {"type": "text", "text": "yes"}]}, "yes"),
        ({"content": "yes", "reasoning_content": "hm"}, "yes"),
        ({"content": "yes", "tool_calls": [{"id": "1"}]}, "yes"),
        ({"content": None, "refusal": "I cannot"}, "I cannot"),
        ({"content": ""}, ""),
    ],
)
def test_the_text_of_a_message(message, text):
    found, told, _ = ask(lambda *_: with_message(message), count=1)
    assert (told, found["q0"].text) == ("", text)


NO_TEXT = {
    "calls a tool and has no text": with_message({"content": None, "tool_calls": [{"id": "1"}]}),
    "has reasoning, but no answer (it used all of max_new_tokens": with_message(
        {"content": "", "reasoning_content": "hm"}, "length"
    ),
    "has reasoning, but no answer (content is empty)": with_message({"content": None, "reasoning": "hm"}),
    "has no text (content is null": with_message({"content": None}),
    "has no part with a text)": with_message({"content": [{"type": "image", "url": "a"}, {"type": "text"}]}),
    "has no field choices[0].message": with_message({"content": 5}),
}


@pytest.mark.parametrize("reason", NO_TEXT)
def test_a_message_without_text_is_no_empty_answer(reason):
    found, told, _ = ask(lambda question, _: NO_TEXT[reason] if question == "q1" else Say(), count=3, attempts=2)
    assert set(found) == {"q0", "q2"}
    assert reason in told


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": -5, "completion_tokens": -1},
        {"prompt_tokens": "many", "completion_tokens": 1.5},
        {"prompt_tokens": 10**30, "completion_tokens": None},
        ["odd"],
        "odd",
        7,
    ],
)
def test_odd_counts_cost_no_reply_and_count_as_none(usage):
    found, told, _ = ask(lambda *_: with_message({"content": "yes"}, usage=usage), count=1)
    assert told == ""
    assert (found["q0"].text, found["q0"].prompt_tokens, found["q0"].new_tokens) == ("yes", 0, 0)


def test_a_count_without_an_end_costs_no_reply():
    sent = json.dumps(Say().body()).encode().replace(b": 11", b": 1e999")
    found, told, _ = ask(lambda *_: Body(sent), count=1)
    assert (told, found["q0"].prompt_tokens) == ("", 0)


PACKED = {"Content-Encoding": "gzip"}
LARGE = {
    "a reply that unpacks to a gigabyte": Body(gzip.compress(b"0" * 2**24) * 64, PACKED),
    "an endless body": Body(b" " * 65536, endless=True),
    "a large body": Body(b" " * 20_000_000),
}


@pytest.mark.parametrize("kind", LARGE)
def test_a_body_ends_at_the_limit(kind):
    tracemalloc.start()
    began = time.monotonic()
    found, told, _ = ask(
        lambda question, _: LARGE[kind] if question == "q1" else Say(),
        count=3,
        attempts=2,
        timeout=60.0,
        max_reply_megabytes=4.0,
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert set(found) == {"q0", "q2"}
    assert "the reply is larger than max_reply_megabytes=4" in told
    assert time.monotonic() - began < 30
    assert peak < 80e6, "the server's own 20 MB twice, and the client's limit"


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_packed_replies_are_read(packing):
    data = json.dumps(Say().body()).encode()
    packed = gzip.compress(data) if packing == "gzip" else zlib.compress(data)
    found, told, _ = ask(lambda *_: Body(packed, {"Content-Encoding": packing}), count=2)
    assert (len(found), told) == (2, "")


@pytest.mark.parametrize("headers", [PACKED, {"Content-Encoding": "zstd"}])
def test_what_cannot_be_unpacked_is_no_reply(headers):
    _, told, _ = ask(lambda *_: Body(json.dumps(Say().body()).encode(), headers), count=1, attempts=1)
    assert "the reply is not UTF-8 text, or cannot be decompressed" in told


def test_commands_to_a_terminal_are_taken_out_of_messages():
    _, told, _ = ask(lambda *_: Refuse(400, message="\x1b[2J\x07bad\u202e key"), count=1, attempts=1)
    assert "bad" in told
    assert told.isprintable()


PASSWORD = "planted-proxy-password"


@pytest.fixture
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        for variable in (name, name.upper()):
            monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("variable", "scheme"), [("http_proxy", "http://"), ("http_proxy", ""), ("ALL_PROXY", "http://")]
)
def test_a_proxy_of_the_environment_is_asked_with_its_password(variable, scheme, monkeypatch, no_proxies):
    with ScriptedServer(lambda *_: Say()) as proxy:
        monkeypatch.setenv(variable, f"{scheme}me:{PASSWORD}@{proxy.url.removeprefix('http://').removesuffix('/v1')}")
        found = asyncio.run(collected(config("http://far.invalid/v1")))
        assert len(found) == 3
        assert proxy.proxy_keys == {f"Basic {base64.b64encode(f'me:{PASSWORD}'.encode()).decode()}"}
        monkeypatch.setenv("no_proxy", "far.invalid:80")
        with pytest.raises(ServerError, match="no connection"):
            asyncio.run(collected(config("http://far.invalid:80/v1", attempts=1)))


@pytest.mark.parametrize("is_proxy", [False, True])
def test_a_server_that_does_not_run_is_named_with_a_remedy(is_proxy, monkeypatch, no_proxies):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but not listening
        port = closed.getsockname()[1]
        if is_proxy:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        url = "http://far.invalid/v1" if is_proxy else f"http://127.0.0.1:{port}/v1"
        with pytest.raises(ServerError) as refused:
            asyncio.run(collected(config(url, attempts=1)))
    remedy = "correct the proxy" if is_proxy else "start the server, or correct base_url"
    assert re.search(rf"no connection to 127\.0\.0\.1:{port} \(.*Connect call failed.*\); {remedy}", str(refused.value))
    assert "ssl" not in str(refused.value)


async def collected(settings: ChatConfig):
    return [one async for one in ChatClient(settings).replies(chats(3), {})]


def test_a_proxy_that_refuses_ends_the_run_and_its_password_is_not_told(monkeypatch, no_proxies):
    with ScriptedServer(lambda *_: Say()) as proxy:  # which knows no CONNECT
        place = proxy.url.removeprefix("http://").removesuffix("/v1")
        monkeypatch.setenv("https_proxy", f"http://me:{PASSWORD}@{place}")
        with pytest.raises(ServerError, match="the proxy returned status 407") as told:
            asyncio.run(collected(config("https://far.invalid/v1")))
    assert PASSWORD not in str(told.value)


@pytest.mark.parametrize(
    "proxy", ["socks5://localhost:1080", f"http://me:{PASSWORD}@localhost:port", f"http://me:{PASSWORD}@a..b"]
)
def test_a_proxy_that_is_none_is_one_line_without_its_password(proxy, monkeypatch, no_proxies):
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(ConfigError, match="http_proxy has no usable proxy") as told:
        asyncio.run(collected(config("http://far.invalid/v1")))
    assert PASSWORD not in str(told.value)


@pytest.mark.parametrize("url", ["http://a..b/v1", f"http://{'a' * 70}/v1", "http://host:port/v1", "http://[::1/v1"])
def test_an_address_that_is_none_is_refused_before_anything_is_sent(url):
    with pytest.raises(ValueError, match=r"base_url: got .* must be http\(s\)://HOST/v1"):
        config(url)


@pytest.mark.parametrize("key", ["one\ntwo", "k\u00e9y"])
def test_what_cannot_be_a_key_is_refused_and_not_told(key, monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", key)
    with pytest.raises(
        ConfigError, match=r"engine\.api_key_env: the value of the environment variable SCRIPTED_KEY is not a key"
    ) as told:
        ChatClient(config("http://localhost/v1"))
    assert key not in str(told.value)
