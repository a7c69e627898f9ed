"""The page in headless Chromium: ask, see the answer stream, open a citation, a document that would run a script."""

import threading

import pytest

from raft_exp.apps.ask.citations import judge
from raft_exp.apps.ask.session import AskPrompt
from raft_exp.apps.serve.limits import Limits
from raft_exp.core.records import Answer, ContextPassage
from raft_exp.engines import Request
from tests.helpers import small_training as small
from tests.helpers.browser import Browser, chromium, until
from tests.helpers.serving_app import served

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


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(chromium(), tmp_path_factory.mktemp("profile"))
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
