"""Several servers: work goes to a free one, and a server that fails loses nothing and is used again when it replies."""

import asyncio
import itertools
from collections import Counter
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from raft_exp.core.errors import ServerError
from raft_exp.core.schema import identity
from raft_exp.engines.client import client as chat_client
from raft_exp.engines.client.client import ChatClient
from raft_exp.engines.client.protocol import ChatConfig
from raft_exp.engines.client.queue import ChatPrompt
from tests.helpers.scripted_server import MODEL, Break, Refuse, Say, ScriptedServer

IN_FLIGHT = 4


@pytest.fixture(autouse=True, scope="module")
def quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chat_client, "_FIRST_WAIT", 0.01)
        yield


def config(base_url: str | list[str], **changes) -> ChatConfig:
    values = {"base_url": base_url, "model": MODEL, "served_as": None, "api_key_env": None, "extra_body": {}}
    limits = {"in_flight": IN_FLIGHT, "attempts": 4, "timeout": 5.0, "max_requests": None}
    return ChatConfig(**values | limits | changes)


def ask(*scripts, count: int = 60, **changes):
    """(ids of the replies, the ServerError's line or "", ids that were refused for good, the servers)."""
    found: Counter[str] = Counter()
    refused: dict[str, str] = {}

    async def collect(client: ChatClient) -> None:
        chats = [ChatPrompt(f"q{n}", [{"role": "user", "content": f"q{n}"}]) for n in range(count)]
        async for name, _ in client.replies(iter(chats), {}, refused.__setitem__):
            found[name] += 1

    told = ""
    with ExitStack() as stack:
        servers = [stack.enter_context(ScriptedServer(script)) for script in scripts]
        for script, server in zip(scripts, servers, strict=True):
            if isinstance(script, Dying):
                script.server = server
        try:
            asyncio.run(collect(ChatClient(config([server.url for server in servers], **changes))))
        except ServerError as error:
            told = str(error)
    assert set(found.values()) <= {1}
    return set(found), told, refused, servers


def ids(count: int) -> set[str]:
    return {f"q{number}" for number in range(count)}


def slow(*_) -> Say:
    return Say(delay=0.005)


class Dying:
    """A script of a server that dies at its request number `at`, while other requests are open."""

    def __init__(self, at: int) -> None:
        self.at, self.requests = at, 0
        self.server: ScriptedServer | None = None

    def __call__(self, *_) -> Say:
        self.requests += 1
        if self.requests == self.at and self.server:
            self.server.kill()
        return Say(delay=0.005)


def test_all_servers_work_and_each_has_its_own_limit():
    found, told, _, servers = ask(slow, slow, slow, count=120)
    assert (found, told) == (ids(120), "")
    assert all(server.most_at_once <= IN_FLIGHT for server in servers)
    assert all(len(server.asked) >= 20 for server in servers)
    assert sum(len(server.asked) for server in servers) == 120


def test_a_slow_server_gets_fewer_requests():
    found, _, _, servers = ask(lambda *_: Say(delay=0.08), lambda *_: Say(delay=0.002), count=120)
    assert found == ids(120)
    assert len(servers[0].asked) < len(servers[1].asked) / 2


def test_a_killed_server_loses_nothing_and_only_its_open_requests_are_sent_twice():
    found, told, _, servers = ask(Dying(at=30), slow, count=120)
    assert (found, told) == (ids(120), "")
    assert 30 <= len(servers[0].asked) < 30 + IN_FLIGHT, "open requests may be read after the end of the server"
    assert sum(len(server.asked) for server in servers) <= 120 + IN_FLIGHT
    twice = Counter(body["messages"][0]["content"] for server in servers for body in server.asked)
    assert max(twice.values()) <= 2


def test_a_server_that_is_never_there_costs_nothing():
    with ScriptedServer(slow) as gone:
        pass
    with ScriptedServer(slow) as server:
        client = ChatClient(config([gone.url, server.url], attempts=2))
        chats = [ChatPrompt(f"q{n}", [{"role": "user", "content": f"q{n}"}]) for n in range(60)]

        async def collect() -> list[str]:
            return [name async for name, _ in client.replies(chats, {})]

        assert set(asyncio.run(collect())) == ids(60)
    assert len(server.asked) == 60


def test_a_server_that_comes_back_is_used_again(caplog):
    first = Dying(at=10)

    def other(*_) -> Say:
        number = next(numbers)
        if number == 60:
            assert first.server
            first.server.revive()
        return Say(delay=0.005)

    numbers = itertools.count(1)
    found, told, _, servers = ask(first, other, count=240)
    assert (found, told) == (ids(240), "")
    assert len(servers[0].asked) > 10 + 2 * IN_FLIGHT, "not only as a test"
    assert sum(len(server.asked) for server in servers) <= 240 + IN_FLIGHT
    lines = [record.getMessage() for record in caplog.records]
    assert [line.rpartition(": ")[2].split("; ")[-1] for line in lines] == [
        "its requests go to the other servers",
        f"{servers[0].url} replies again",
    ]


def test_a_server_that_hangs_is_tested_with_one_request_at_a_time():
    numbers = itertools.count()
    found, told, _, (hung, good) = ask(
        lambda *_: slow() if next(numbers) < 5 else Break("hang"), slow, count=200, timeout=0.1
    )
    assert (found, told) == (ids(200), "")
    assert len(hung.asked) <= 5 + IN_FLIGHT + 5
    assert len(good.asked) >= 180


@pytest.mark.parametrize(
    "trouble", [Refuse(500), Refuse(503, {"Retry-After": "1"}), Break("cut_json"), Refuse(404), Refuse(307)]
)
def test_a_server_with_lasting_trouble_is_left_to_itself(trouble):
    numbers = itertools.count()
    found, told, _, (bad, _) = ask(lambda *_: slow() if next(numbers) < 5 else trouble, slow, count=120, attempts=2)
    assert (found, told) == (ids(120), "")
    assert len(bad.asked) <= 5 + IN_FLIGHT + 10, "a test now and then"


def test_a_request_that_all_servers_fail_on_ends_and_the_others_are_kept():
    def script(question: str, _: int) -> Say | Refuse:
        return Refuse(500, message="too hard") if question == "q7" else slow()

    found, told, _, servers = ask(script, script, count=60, attempts=4)
    assert found == ids(60) - {"q7"}
    assert "1 of 60 requests got no usable reply (first: q7: http" in told
    assert "status 500: too hard" in told
    assert sum(body["messages"][0]["content"] == "q7" for server in servers for body in server.asked) == 4


def test_an_error_of_the_request_is_no_dead_server():
    def script(question: str, _: int) -> Say | Refuse:
        return Refuse(400, message="too long") if int(question[1:]) % 3 == 0 else slow()

    found, told, refused, servers = ask(script, script, count=60)
    assert (found, told) == ({f"q{n}" for n in range(60) if n % 3}, "")
    assert set(refused.values()) == {"status 400: too long"}, "the same reason, whichever server replied"
    assert sum(len(server.asked) for server in servers) == 60, "each is sent once"
    assert min(len(server.asked) for server in servers) >= 10


@pytest.mark.parametrize("status", [401, 402])
def test_a_server_that_no_request_can_use_ends_the_run_and_is_named(status):
    found, told, _, (bad, good) = ask(lambda *_: Refuse(status), lambda *_: Say(delay=0.02), count=500)
    assert f"engine: {bad.url}: " in told
    assert f"status {status}" in told
    assert len(found) < 100
    assert len(good.asked) < 100


def test_a_wrong_address_is_found_although_other_servers_reply():
    _, told, _, (_, bad) = ask(lambda *_: Say(delay=0.02), lambda *_: Refuse(404), count=500)
    assert f"engine: {bad.url}: status 404: the server has no model='scripted-1'" in told


def test_a_server_with_a_long_limit_leaves_its_work_to_the_others():
    numbers = itertools.count()
    found, told, _, (limited, _) = ask(
        lambda *_: slow() if next(numbers) < 5 else Refuse(429, {"Retry-After": "86400"}), slow, count=120
    )
    assert (found, told) == (ids(120), "")
    assert len(limited.asked) <= 5 + IN_FLIGHT


def test_a_limit_of_one_server_is_not_waited_for():
    numbers = itertools.count()
    found, told, _, (limited, _) = ask(
        lambda *_: slow() if next(numbers) < 5 else Refuse(429, {"Retry-After": "60"}), slow, count=120
    )
    assert (found, told) == (ids(120), "")
    assert len(limited.asked) <= 5 + IN_FLIGHT


def test_servers_that_are_all_dead_end_the_run():
    found, told, _, servers = ask(Dying(at=10), Dying(at=10), count=200, attempts=2)
    assert found < ids(200)
    assert "20 requests in a row got no usable reply (last: q" in told
    assert "no connection" in told
    assert any(f": {server.url}: no connection" in told for server in servers)


STEPS = st.sampled_from(
    [Say(), Say(delay=0.002), Refuse(500), Refuse(429, {"Retry-After": "0"}), Refuse(408), Break("reset")]
)


@settings(deadline=None, max_examples=20)
@given(script=st.lists(STEPS, max_size=12), count=st.integers(0, 25), in_flight=st.integers(1, 6))
def test_a_server_that_fails_in_any_order_beside_a_good_one_loses_nothing(script, count, in_flight):
    steps = iter(script)
    found, told, _, (_, good) = ask(
        lambda *_: next(steps, Say()), lambda *_: Say(), count=count, in_flight=in_flight, attempts=len(script) + 2
    )
    assert (found, told) == (ids(count), "")
    assert max(Counter(body["messages"][0]["content"] for body in good.asked).values(), default=0) <= 1


@pytest.mark.parametrize(
    ("urls", "message"),
    [
        ([], "base_url: got []; must be http(s)://HOST/v1 or a similar URL, or a list of such URLs"),
        (["http://a/v1", "b/v1"], "base_url: got 'b/v1'; must be http(s)://HOST/v1"),
        (["http://a/v1", "http://a/v1/"], "base_url: got 'http://a/v1' twice"),
        (["http://a/v1", "http://me:secret@b/v1"], "base_url: contains a user name, password or query (not shown"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(urls, message):
    with pytest.raises(ValidationError) as error:
        config(urls)
    assert message in str(error.value.errors()[0]["ctx"]["error"])
    assert "secret" not in str(error.value.errors()[0]["ctx"]["error"])


def test_the_servers_of_a_list_are_in_no_key():
    one, two = identity(config(["http://a/v1"])), identity(config(["http://b/v1", "http://c/v1"]))
    assert one == two
    assert "base_url" not in one
    assert identity(config("http://a/v1")) == {"base_url": "http://a/v1", **one}, "a single URL is, as before"
