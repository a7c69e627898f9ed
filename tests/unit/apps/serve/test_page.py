"""The page in headless Chromium: ask, see the answer stream, open a citation, a document that would run a script."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path

import pytest

from raft_exp.apps.ask.citations import judge
from raft_exp.apps.ask.session import AskPrompt
from raft_exp.apps.serve.limits import Limits
from raft_exp.core.records import Answer, ContextPassage
from raft_exp.engines import Request
from tests.helpers import small_training as small
from tests.helpers.serving_app import served

sync = pytest.importorskip("websockets.sync.client", reason="the extra [dev]")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-port=0",
    "--window-size=900,1000",
)
HOSTILE = (
    "\U0001f3f0 Velmor lies in the <b>north</b><img src=x onerror=\"document.title='run'\">. It was founded in 1702."
)
CONTEXT = [
    ContextPassage("a#1", "a", "Calton", "Calton is a port. Its people build ships.", False, "page 2"),
    ContextPassage("b#1", "b", "Velmor", HOSTILE, False, "page 3, section History"),
]
SAID = ("##begin_quote##", " It was founded", " in 1702.", " ##end_quote##", " ##Answer:", " 17", "02")


class Slow:
    """A model that writes a word when it is told to."""

    name, reply_format = "towns/raft", "paper"

    def __init__(self) -> None:
        self.engine, self.go = self, threading.Semaphore(0)

    def prompt(self, name, question):
        return AskPrompt(question, CONTEXT, ["towns.pdf", "towns.pdf"], Request(name, [1], []))

    def judge(self, asked, reply):
        return judge(reply, asked.context, asked.sources, small.prompt_config(), True)

    def converse(self, requests, listener):
        for request in requests:
            for piece in SAID:
                self.go.acquire(timeout=20)
                listener.said(request, piece)
            yield Answer(request.id, "".join(SAID), False, 1, len(SAID))


class Browser:
    """A page of Chromium over the DevTools protocol."""

    def __init__(self, program: str, profile: Path) -> None:
        self._process = subprocess.Popen([program, *FLAGS, f"--user-data-dir={profile}"], stderr=subprocess.DEVNULL)
        port_file = profile / "DevToolsActivePort"
        until(lambda: port_file.exists() and port_file.read_text().count("\n"))
        port, path = port_file.read_text().split("\n")
        self._socket = sync.connect(f"ws://127.0.0.1:{port}{path}", max_size=None)
        self._numbers, self._session = itertools.count(1), None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def send(self, method: str, **params):
        number = next(self._numbers)
        session = {"sessionId": self._session} if self._session else {}
        self._socket.send(json.dumps({"id": number, "method": method, "params": params, **session}))
        while True:
            reply = json.loads(self._socket.recv(timeout=30))
            if reply.get("id") == number:
                assert "error" not in reply, reply
                return reply["result"]

    def js(self, expression: str):
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def go(self, address: str) -> None:
        """Opens an address and waits until its page is there."""
        self.send("Page.navigate", url=address)
        here = f"location.href.startsWith({json.dumps(address)}) && document.readyState === 'complete'"
        until(lambda: self.js(here))

    def text(self, selector: str) -> str:
        return self.js(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def click(self, selector: str) -> None:
        box = self.js(
            f"(e => {{ e.scrollIntoView({{block: 'center'}}); const b = e.getBoundingClientRect(); "
            f"return [b.x + b.width / 2, b.y + b.height / 2]; }})(document.querySelector({json.dumps(selector)}))"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def picture(self, name: str) -> None:
        """Kept where RAFT_EXP_PICTURES names a folder, to be looked at."""
        if folder := os.environ.get("RAFT_EXP_PICTURES"):
            data = self.send("Page.captureScreenshot", format="png")["data"]
            (Path(folder) / f"{name}.png").write_bytes(base64.b64decode(data))

    def close(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()


def until(true) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if not found:
        pytest.skip("no Chromium: install it, or name it in CHROMIUM")
    opened = Browser(found, tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


def test_ask_see_the_answer_come_and_open_a_citation(browser):
    asker = Slow()
    with served(asker, Limits()) as address:
        browser.go(address)
        until(lambda: browser.text("#model") == "towns/raft")
        browser.js("document.querySelector('#question').focus()")
        browser.send("Input.insertText", text="When was Velmor founded?")
        browser.click("#go")
        asker.go.release(2)
        until(lambda: browser.text("#reason") == "\u201cIt was founded")
        assert browser.js("document.querySelector('#go').disabled")
        browser.picture("streaming")
        asker.go.release(len(SAID))
        until(lambda: not browser.js("document.querySelector('#cited').hidden"))
        assert browser.text("#reason").strip() == "\u201cIt was founded in 1702.\u201d"
        assert browser.text("#answer") == "1702"
        assert "page 3, section History" in browser.text(".cite small")
        assert browser.text("mark") == ""
        browser.click(".cite")
        until(lambda: browser.text("mark") == "It was founded in 1702.")
        assert browser.text("#passage-2 p") == HOSTILE
        assert browser.js("document.querySelector('#passage-2').open")
        assert browser.js("document.images.length") == 0
        assert browser.js("document.title") == "Ask the documents"
        browser.picture("cited")
        assert not browser.js("document.querySelector('#go').disabled")


def test_stop_and_a_server_with_a_token(browser):
    asker = Slow()
    with served(asker, Limits(), token="0123456789abcdef") as address:
        browser.go(address)
        until(lambda: not browser.js("document.querySelector('#key').hidden"))
        until(lambda: "a token is needed" in browser.text("#note"))
        browser.js("document.querySelector('#token').focus()")
        browser.send("Input.insertText", text="0123456789abcdef")
        browser.click("#key button")
        until(lambda: browser.text("#model") == "towns/raft")
        browser.js("document.querySelector('#question').value = 'When?'")
        browser.click("#go")
        until(lambda: not browser.js("document.querySelector('#stop').hidden"))
        browser.click("#stop")
        until(lambda: browser.text("#note") == "Stopped.")
        asker.go.release(len(SAID))
