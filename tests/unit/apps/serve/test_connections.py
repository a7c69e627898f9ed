"""Slow and silent clients take no place from the others."""

import os
import resource
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from raft_exp.apps.serve import connections
from tests.unit.apps.serve.test_limits import Scripted, client, post, until


def slow(address: httpx.URL, text: bytes) -> socket.socket:
    """A connection that has sent a part of a request."""
    opened = socket.create_connection((address.host, address.port), timeout=10)
    opened.sendall(text)
    return opened


def is_closed(opened: socket.socket) -> bool:
    opened.settimeout(0)
    try:
        return opened.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


SENDERS = """
import resource, socket, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
port, held = int(sys.argv[1]), []
for _ in range(1000):
    try:
        held.append(socket.create_connection(("127.0.0.1", port), timeout=10))
        held[-1].sendall(b"POST /v1/chat/completions HTTP/1.1\\r\\nHost: localhost\\r\\nX-Half: ")
    except ConnectionError:
        pass  # the server has closed it
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def few_descriptors():
    """Leaves this process, which serves, 256 file descriptors above those that are open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 256, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_thousand_half_requests_take_no_place_from_the_others(few_descriptors, caplog):
    with client() as opened:
        command = [sys.executable, "-c", SENDERS, str(opened.base_url.port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as senders:
            assert post(opened, "meanwhile").status_code == 200
            assert senders.stdout is not None
            assert senders.stdout.readline() == "open\n"
            for _ in range(3):
                assert httpx.get(opened.base_url.join("/health"), timeout=20).status_code == 200
            senders.communicate("")
    assert "out of system resource" not in caplog.text


def test_the_oldest_connection_without_a_request_makes_room(monkeypatch):
    monkeypatch.setattr(connections, "most_connections", lambda: 4)
    monkeypatch.setattr("raft_exp.apps.serve.server.most_connections", lambda: 4)
    with client() as opened, ExitStack() as held:
        post(opened, "first")  # its connection is kept alive
        halves = [held.enter_context(slow(opened.base_url, b"GET / HTTP/1.1\r\nX: ")) for _ in range(6)]
        until(lambda: sum(is_closed(half) for half in halves) >= 2)
        assert not is_closed(halves[-1]), "the newest stays"
        assert post(opened, "second").status_code == 200


@pytest.mark.parametrize("begun", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Half: "])
def test_a_request_that_does_not_come_ends_its_connection(monkeypatch, begun):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    with client() as opened, slow(opened.base_url, begun) as half:
        start = time.monotonic()
        until(lambda: is_closed(half))
        assert time.monotonic() - start >= 0.2


@pytest.mark.slow
def test_the_head_of_a_later_request_has_the_same_limit(monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.0)
    with client() as opened, slow(opened.base_url, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n") as sender:
        assert sender.recv(4096).startswith(b"HTTP/1.1 200")
        time.sleep(1.3)  # longer than the limit
        assert not is_closed(sender), "it is kept alive between two requests"
        sender.settimeout(10)
        sender.sendall(b"GET /health HTTP/1.1\r\nHo")
        until(lambda: is_closed(sender))


@pytest.mark.slow
def test_a_long_answer_is_no_slow_request(monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.0)
    asker = Scripted()
    asker.go.clear()
    with client(asker) as opened, ThreadPoolExecutor(1) as pool:
        answered = pool.submit(post, opened, "a word")
        until(lambda: asker.batches)
        time.sleep(1.3)  # longer than the limit
        asker.go.set()
        assert answered.result().is_success


def test_the_limit_leaves_room_for_files(few_descriptors):
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 8 <= connections.most_connections() < soft - connections.ACCEPTED
