"""Chromium without a window, driven over the DevTools protocol."""

import base64
import itertools
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

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
)
WAIT = 60  # seconds
DRIVEN = (*FLAGS, "--remote-debugging-port=0", "--window-size=900,1000")


class Browser:
    """A page of Chromium over the DevTools protocol."""

    def __init__(self, program: str, profile: Path) -> None:
        self._process = subprocess.Popen([program, *DRIVEN, f"--user-data-dir={profile}"], stderr=subprocess.DEVNULL)
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

    def wait_for(self, selector: str, text: str) -> None:
        """Waits until an element has this text."""
        end = time.monotonic() + WAIT
        while (found := self.text(selector)) != text:
            assert time.monotonic() < end, f"{selector} has {found!r} on {self.js('location.href')}"
            time.sleep(0.02)

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
    end = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def chromium() -> str:
    """The program; skips the test where there is none."""
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if name and (path := shutil.which(name))), None)
    if not found:
        pytest.skip("no Chromium: install it, or name it in CHROMIUM")
    return found
