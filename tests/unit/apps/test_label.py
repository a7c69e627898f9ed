"""The sheet in headless Chromium and as a CSV file."""

import csv

import pytest

from raft_exp.apps.label.sample import SheetReply
from raft_exp.apps.label.sheet import write_sheet
from raft_exp.core.records import Passage
from raft_exp.evaluation.judge.labels import Label, label_id, read_labels
from raft_exp.evaluation.judge.replies import JudgedReply
from tests.helpers.browser import Browser, chromium, until
from tests.helpers.html_page import Page

HOSTILE = "=1+1 </script><img src=x onerror=\"document.title='run'\"> @script@ @data@ \u2028 <b>bold</b>"
TASKS = {"correct": False, "supported": True, "refusal": False, "polite": False}


def reply(number, tasks, text="A reply.", arm="raft"):
    passages = [Passage(f"p{n}", "d", text, text * 3, "page 2", [], "") for n in range(3)]
    shown = JudgedReply(f"-q{number}", text, [text], "", passages, number % 2 == 0, text, "A reply.", False)
    return SheetReply(label_id(arm, shown.id, text), shown, tasks)


@pytest.fixture
def sheet(tmp_path):
    replies = [reply(0, ["correct", "supported"], HOSTILE), reply(1, ["correct"]), reply(2, ["refusal", "polite"])]
    write_sheet(tmp_path, replies, TASKS, [Label(replies[1].name, "correct", 1.0, 7)])
    return tmp_path, replies


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    opened = Browser(chromium(), tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


def test_the_file_for_spreadsheets(sheet):
    folder, replies = sheet
    with (folder / "labels.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["label_id"], row["task"]) for row in rows] == [
        (reply.name, task) for reply in replies for task in reply.tasks
    ]
    assert [row["label"] for row in rows] == ["", "", "1", "", ""]
    assert all(value[:1] not in "=+-@\t\r" for row in rows for value in row.values() if value), "no cell is a formula"
    assert rows[0]["reply"] == f"'{HOSTILE}"
    assert "hold the answer. Does the reply give an answer" in rows[3]["to_decide"]
    assert rows[4]["to_decide"] == "polite?", "a task of the user's own shows its name"
    assert [label.value for label in read_labels(folder / "labels.csv", TASKS)] == [1.0]


def test_the_page_loads_nothing_and_names_no_arm(sheet):
    folder, _ = sheet
    text = (folder / "sheet.html").read_text(encoding="utf-8")
    seen = Page(text)
    assert seen.loads == []
    assert len(seen.scripts) == 2
    assert "img" not in seen.tags
    assert "raft" not in text.replace("raft_exp", "")


def test_label_with_keys_and_clicks_and_download(browser, sheet, tmp_path):
    folder, replies = sheet
    downloads = tmp_path / "downloads"
    browser.send("Page.enable")
    browser.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))
    browser.go((folder / "sheet.html").as_uri())
    browser.wait_for("#progress", "reply 1 of 3; 1 labelled")
    assert browser.js("document.title") == "Label replies", "no handler of a text ran"
    assert browser.js("document.images.length") == 0
    assert browser.js("document.querySelector('details:not(#help)').open"), "claims are compared with the passages"

    def press(key):
        for kind in ("keyDown", "keyUp"):
            browser.send("Input.dispatchKeyEvent", type=kind, key=key)

    press("y")
    press("3")  # three quarters of the claims; the page goes to the next reply
    browser.wait_for("#progress", "reply 2 of 3; 2 labelled")
    press("u")
    browser.wait_for("#progress", "reply 2 of 3; 1 labelled")
    press("n")
    browser.wait_for("#progress", "reply 3 of 3; 2 labelled")
    browser.click(".task:nth-of-type(1) button:nth-of-type(2)")
    browser.send("Page.reload")
    browser.wait_for("#progress", "reply 3 of 3; 2 labelled")
    pressed = "[...document.querySelectorAll('button[aria-pressed=true]')].map((one) => one.innerText.split(' ')[0])"
    assert browser.js(pressed) == ["no"], "the labels are still there"
    assert browser.text(".current").startswith("polite?")
    browser.picture("sheet")

    browser.click("#download")
    until(lambda: (downloads / "labels.csv").exists() and (downloads / "labels.csv").stat().st_size)
    found = {(label.reply, label.task): label.value for label in read_labels(downloads / "labels.csv", TASKS)}
    first, second, third = (one.name for one in replies)
    expected = {(first, "correct"): 1.0, (first, "supported"): 0.75, (second, "correct"): 0.0, (third, "refusal"): 0.0}
    assert found == expected
    rows = (downloads / "labels.csv").read_text(encoding="utf-8-sig").splitlines()
    assert rows[1] == f'"{first}","\'-q0","correct","1"'

    browser.send("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True)
    browser.go((folder / "sheet.html").as_uri() + "#1")
    assert browser.js("document.documentElement.scrollWidth") <= 390, "a narrow page does not scroll sideways"
