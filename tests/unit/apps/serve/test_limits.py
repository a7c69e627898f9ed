"""The endpoint with a model that is told what to do: who is answered, who is turned away, whose place is free again."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from raft_exp.apps.ask.citations import judge
from raft_exp.apps.ask.session import AskPrompt
from raft_exp.apps.serve import main as serve
from raft_exp.apps.serve.batch_queue import BatchQueue, FailedQuestion, QueuedQuestion
from raft_exp.apps.serve.limits import Limits
from raft_exp.core.errors import DataError
from raft_exp.core.records import Answer
from raft_exp.engines import Request
from tests.helpers import small_training as small
from tests.helpers.serving_app import served

TOKEN = "a-token-of-more-than-sixteen"


class Scripted:
    """An asker whose model says what the question says, token by token, for as long as `go` is set."""

    name, reply_format = "made/scripted", "paper"

    def __init__(self) -> None:
        self.engine = self
        self.go = threading.Event()
        self.go.set()
        self.batches: list[list[str]] = []
        self.ended: list[tuple[str, int]] = []

    def prompt(self, name, question):
        if question == "too long to fit":
            raise DataError(f"question {name!r}: question and instructions alone need 2000 tokens")
        asked = Request(name, [1, 2], [{"role": "user", "content": question}])
        return AskPrompt(question, [], [], None if question == "nothing" else asked)

    def judge(self, asked, reply):
        reply = reply or Answer("", "", False, 0, 0)
        return judge(reply, [], [], small.prompt_config(), True)

    def converse(self, requests, listener):
        self.batches.append([request.messages[0]["content"] for request in requests])
        if "break" in self.batches[-1]:
            raise RuntimeError("a secret of the machine")
        for request in requests:
            said = ["##Answer:", *(f" {word}" for word in request.messages[0]["content"].split())]
            endless, count = said[-1] == " forever", 0
            while count < len(said) or endless:
                assert self.go.wait(20)
                listener.said(request, said[min(count, len(said) - 1)])
                count += 1
                time.sleep(0.001 if endless else 0)
                if listener.enough(request, count):
                    break
            self.ended.append((request.messages[0]["content"], count))
            yield Answer(request.id, "".join(said[:count]), count < len(said), 2, count)


@contextmanager
def client(asker=None, limits=None, token=None, batch=4, waiting=4, **headers):
    asker = asker or Scripted()
    with (
        served(asker, limits or Limits(), token, batch, waiting) as address,
        httpx.Client(base_url=address, headers=headers, timeout=20) as opened,
    ):
        yield opened


def question(text: str, **more) -> dict:
    return {"messages": [{"role": "user", "content": text}], **more}


def post(opened: httpx.Client, text: str, **more) -> httpx.Response:
    return opened.post("/v1/chat/completions", json=question(text, **more))


@contextmanager
def asked(opened: httpx.Client, asking: dict):
    """A client that has sent its question, waits while the block lasts, and then goes away without the answer."""
    body = json.dumps(asking).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    kind = "Content-Type: application/json\r\n\r\n"
    address = opened.base_url
    with socket.create_connection((address.host, address.port or 80), timeout=20) as sender:
        sender.sendall((head + kind).encode() + body)
        yield


def inside(opened: httpx.Client) -> int:
    """The number of questions that wait or are answered now, as the server counts them."""
    [line] = [
        line for line in opened.get("/metrics").text.splitlines() if line.startswith("raft_exp_questions_waiting")
    ]
    return int(float(line.split()[-1]))


def code(response: httpx.Response) -> tuple[int, str]:
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return response.status_code, error["code"]


def until(true) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"{", "the body is not JSON"),
        (b"\xff\xfe{}", "the body is not JSON"),
        (b"[" * 60_000, "the body is not JSON"),
        (b"[1]", "must be a JSON object"),
        (b"{}", "messages: must be a list"),
        (b'{"messages": [{"role": "system", "content": "x"}]}', "no message has the role user"),
        (b'{"messages": [{"role": "user", "content": "  "}]}', "has no text"),
        (b'{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}', "only text is supported"),
        (b'{"messages": [{"role": "user", "content": "x"}], "n": 2}', "only one reply per question"),
        (b'{"messages": [{"role": "user", "content": "x"}], "tools": [{}]}', "tools: is not supported"),
        (b'{"messages": [{"role": "user", "content": "x"}], "max_tokens": "9"}', "must be a whole number above 0"),
    ],
)
def test_what_is_no_question_is_refused_in_openais_form(body, told):
    with client() as opened:
        response = opened.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})
        assert code(response)[0] == 400
        assert told in response.json()["error"]["message"]
        assert post(opened, "still there").json()["choices"][0]["message"]["content"] == "still there"


def test_bodies_and_questions_have_a_limit():
    with client(limits=Limits(question=100)) as opened:
        large = b'{"messages": "' + b"x" * 10_000_000 + b'"}'
        headers = {"content-type": "application/json"}
        assert code(opened.post("/v1/chat/completions", content=large, headers=headers)) == (413, "request_too_large")
        in_parts = (large[start : start + 100_000] for start in range(0, len(large), 100_000))
        assert code(opened.post("/v1/chat/completions", content=in_parts, headers=headers))[0] == 413
        assert code(post(opened, "x" * 101)) == (400, "invalid_request")
        assert post(opened, "x" * 100).status_code == 200
        assert code(post(opened, "too long to fit"))[0] == 400
        assert "question and instructions alone" in post(opened, "too long to fit").json()["error"]["message"]


def test_a_form_of_another_page_is_refused():
    with client() as opened:
        text = opened.post("/v1/chat/completions", content=b"{}", headers={"content-type": "text/plain"})
        assert code(text)[0] == 415
        assert code(opened.get("/v1/models", headers={"host": "evil.example"})) == (403, "forbidden")
        assert opened.get("/", headers={"host": "localhost:80"}).status_code == 200
        assert code(opened.get("/v1/nothing")) == (404, "not_found")
        assert code(opened.get("/v1/chat/completions"))[0] == 405


def test_a_token_is_asked_for_where_there_is_one():
    with client(token=TOKEN) as opened:
        assert code(opened.get("/v1/models")) == (401, "invalid_api_key")
        assert code(opened.get("/v1/models", headers={"authorization": "Bearer wrong"}))[0] == 401
        bearer = {"authorization": f"Bearer {TOKEN}", "host": "docs.example"}
        assert opened.get("/v1/models", headers=bearer).status_code == 200
        assert opened.get("/").status_code == 200, "the page asks for it"


def test_one_client_may_ask_so_often():
    with client(limits=Limits(per_minute=3)) as opened:
        assert [opened.get("/v1/models").status_code for _ in range(4)] == [200, 200, 200, 429]
        response = opened.get("/v1/models")
        assert code(response) == (429, "rate_limit_exceeded")
        assert 1 <= int(response.headers["retry-after"]) <= 60


def test_what_waits_is_answered_together_and_too_much_is_turned_away():
    asker = Scripted()
    asker.go.clear()
    with client(asker, batch=3, waiting=3) as opened, ThreadPoolExecutor(8) as pool:
        first = pool.submit(post, opened, "first")
        until(lambda: asker.batches == [["first"]])
        rest = {f"number {number}": pool.submit(post, opened, f"number {number}") for number in range(7)}
        until(lambda: sum(one.done() for one in rest.values()) == 2)  # six have a place: three are answered, three wait
        refused = {text for text, one in rest.items() if one.done()}
        for text in refused:
            assert code(rest[text].result()) == (503, "overloaded")
            assert int(rest[text].result().headers["retry-after"]) >= 1
        asker.go.set()
        assert first.result().status_code == 200
        for text in rest.keys() - refused:
            assert rest[text].result().json()["choices"][0]["message"]["content"] == text
    assert [len(batch) for batch in asker.batches] == [1, 3, 2]


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_frees_its_place(stream):
    asker = Scripted()
    with client(asker, batch=1, waiting=1) as opened:
        asking = question("on and forever", stream=stream)
        if stream:
            with opened.stream("POST", "/v1/chat/completions", json=asking) as reply:
                next(reply.iter_lines())
        else:
            with asked(opened, asking):
                until(lambda: asker.batches)
        until(lambda: asker.ended)
        assert post(opened, "next").json()["choices"][0]["message"]["content"] == "next"


def test_a_client_that_leaves_while_it_waits_frees_its_place_and_is_never_answered():
    asker = Scripted()
    asker.go.clear()
    with client(asker, batch=1, waiting=1) as opened, ThreadPoolExecutor(2) as pool:
        first = pool.submit(post, opened, "first")
        until(lambda: asker.batches == [["first"]])
        with asked(opened, question("gone")):
            until(lambda: inside(opened) == 2)
        until(lambda: inside(opened) == 1)  # the server learns of it a moment later
        last = pool.submit(post, opened, "last")
        until(lambda: inside(opened) == 2)
        asker.go.set()
        assert [first.result().status_code, last.result().status_code] == [200, 200]
    assert asker.batches == [["first"], ["last"]]


def test_a_batch_that_breaks_fails_no_question_that_has_its_answer():
    asker: Any = Scripted()
    told: list[tuple[str, str]] = []
    ended = threading.Semaphore(0)

    def tell(name):
        def note(event):
            if not isinstance(event, str):
                told.append((name, event.fault if isinstance(event, FailedQuestion) else "answered"))
                ended.release()

        return note

    asker.go.clear()
    answers = BatchQueue(asker, batch=3, waiting=4)
    for name in ("first", "nothing", "too long to fit", "break"):
        answers.put(QueuedQuestion(name, name, None, tell(name)))
        while name == "first" and not asker.batches:  # it holds the thread, so that the others are one batch
            time.sleep(0.001)
    asker.go.set()
    assert all(ended.acquire(timeout=20) for _ in range(4))
    answers.close()
    assert told == [("first", "answered"), ("nothing", "answered"), ("too long to fit", "client"), ("break", "server")]
    assert (answers.counts().answered, answers.counts().failed) == (2, 2)


def test_a_model_that_breaks_breaks_one_batch():
    with client() as opened:
        assert code(post(opened, "break")) == (500, "server_error")
        assert "secret" not in post(opened, "break").text
        assert code(post(opened, "break", stream=True))[0] == 500
        assert post(opened, "and on").status_code == 200


def test_a_reply_may_be_cut_short():
    with client() as opened:
        reply = post(opened, "one two three four", max_tokens=3).json()
        assert reply["choices"][0]["finish_reason"] == "length"
        assert reply["choices"][0]["message"]["content"] == "one two"
        assert reply["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}


def test_only_this_machine_is_answered_without_a_token(monkeypatch, capsys):
    monkeypatch.setenv("SHORT", "x")
    for arguments, told in (
        (["host=0.0.0.0"], "token_env=NAME"),
        (["token_env=SHORT"], "holds 1 characters; set it to a token of 16 or more"),
        (["token_env=a-token-itself"], "must be the NAME of an environment variable"),
    ):
        with pytest.raises(SystemExit) as ended:
            serve.main(["nowhere", *arguments])
        assert ended.value.code == 2
        assert told in capsys.readouterr().err


def test_health_and_metrics():
    with client(token=TOKEN) as opened:
        assert opened.get("/health").json() == {"status": "ok", "model": "made/scripted"}
        assert code(opened.get("/metrics"))[0] == 401
        opened.headers["authorization"] = f"Bearer {TOKEN}"
        post(opened, "one")
        post(opened, "too long to fit")
        post(opened, "break")
        shown = opened.get("/metrics")
        values = dict(line.split(" ") for line in shown.text.splitlines() if not line.startswith("#"))
        assert shown.headers["content-type"].startswith("text/plain; version=0.0.4")
        assert (values["raft_exp_questions_answered_total"], values["raft_exp_questions_failed_total"]) == ("1", "2")
        assert values["raft_exp_questions_waiting"] == "0"
        assert float(values["raft_exp_batch_seconds_total"]) > 0
