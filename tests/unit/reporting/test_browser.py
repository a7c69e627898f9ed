"""The browser of examples in a real browser: deep links filter, hostile text stays text, nothing is fetched."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from raft_exp.core.records import Example, write_jsonl
from raft_exp.evaluation.citations.stage import CITATIONS
from raft_exp.evaluation.judge.rows import JUDGEMENTS
from raft_exp.evaluation.judge.stage import SUMMARY
from tests.helpers import browser
from tests.helpers.html_page import Page
from tests.helpers.report_study import ARMS, Study, answered, example

HOSTILE = "</script><img src=x onerror=\"document.title='run'\"> \u2028 <b>bold</b>"


@pytest.fixture(scope="module")
def chromium() -> str:
    return browser.chromium()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 questions: rag is right on two of three, raft on three of four; question 0 is hostile in all its texts."""
    root = tmp_path_factory.mktemp("browser")
    rows = [example(i, slices={"kind": ("old", "new")[i % 2]}, question=f"Question number {i}?") for i in range(48)]
    poison = rows[0].context[0].__class__("g0", "d0", HOSTILE, HOSTILE, True, HOSTILE)
    rows[0] = example(0, HOSTILE, context=[poison], question=HOSTILE, slices={"kind": HOSTILE})
    made = Study(root, rows)
    made.say("base", *["no"] * 48)
    made.say("rag", *["no" if i % 3 == 0 else "yes" for i in range(48)])
    made.say("raft", *["no" if i % 4 == 3 else "yes" for i in range(48)])
    said = "##Reason: ##begin_quote## The drug helped all patients. ##end_quote## ##Answer: yes"
    made.replies["raft"][1] = answered(rows[1], said)
    made.replies["raft"][0] = answered(rows[0], f"##Reason: {HOSTILE} ##Answer: {HOSTILE} wrong")
    judged = {"rag": judge(root / "rag", rows, lambda i: 1.0), "raft": judge(root / "raft", rows, judged_right)}
    return made.run(judgements=judged, citations={"raft": claims(root / "claims", rows)}) / "report.html"


def judged_right(number: int) -> float | None:
    """What the judge says of raft's replies: right, or wrong, or nothing."""
    return None if number % 12 in (0, 5) else float(number % 5 != 1)


def judge(folder: Path, rows: list[Example], value: Callable[[int], float | None]) -> Path:
    """Makes the result of a stage `judge`, with the words of the judge."""
    folder.mkdir()
    said = [
        {
            "id": row.id,
            "task": "correct",
            "value": value(i),
            "words": "" if value(i) is None else f"Thought-{i:02}! {'' if i else HOSTILE}",
        }
        for i, row in enumerate(rows)
    ]
    write_jsonl(folder / JUDGEMENTS, [{**one, **({"missing": "not_json"} if not one["words"] else {})} for one in said])
    summary = {"model": "judge", "versions": {"correct": "judge_correct, version 1"}, "claims": [], "replies": 48}
    (folder / SUMMARY).write_text(json.dumps({**summary, "prompt_tokens": 9, "new_tokens": 9, "cost": None}))
    return folder


def claims(folder: Path, rows: list[Example]) -> Path:
    """Makes the result of a stage `citations`: each reply of raft has a claim that its passage supports."""
    folder.mkdir()
    claim = {"claim": "It helped.", "answer": False, "supported": True}
    made = [
        {"id": row.id, "claims": [{**claim, "passages": [f"g{i}"], "supporting": [f"g{i}"]}]}
        for i, row in enumerate(rows)
    ]
    write_jsonl(folder / CITATIONS, made)
    (folder / "counts.json").write_text(json.dumps({"cut": 0}))
    return folder


def opened(chromium: str, page: Path, choice: str, profile: Path) -> str:
    """The page as the browser has it after its script ran; `choice` is what stands behind the #."""
    done = subprocess.run(
        [chromium, *browser.FLAGS, f"--user-data-dir={profile}", "--dump-dom", f"{page.as_uri()}#{choice}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def questions(dom: str) -> list[int]:
    return [int(number) for number in re.findall(r"<h3>Question number (\d+)\?</h3>", dom)]


@pytest.mark.slow
def test_a_link_shows_where_one_arm_is_right_and_another_wrong(chromium: str, page: Path, tmp_path: Path) -> None:
    wanted = [i for i in range(1, 48) if i % 4 != 3 and i % 3 == 0]
    dom = opened(chromium, page, "right=raft&wrong=rag", tmp_path)
    assert questions(dom) == wanted[:10]
    assert f"{len(wanted)} examples of 48" in dom
    assert "page 1 of 2" in dom
    rest = opened(chromium, page, "right=raft&wrong=rag&page=2", tmp_path)
    assert questions(rest) == wanted[10:]


@pytest.mark.slow
def test_words_and_slices_narrow_the_choice(chromium: str, page: Path, tmp_path: Path) -> None:
    dom = opened(chromium, page, "q=NUMBER%204&slice=kind%3Anew", tmp_path)
    assert questions(dom) == [41, 43, 45, 47]
    assert "4 examples of 48" in dom
    dom = opened(chromium, page, "q=number%201%3F&passages=1", tmp_path)
    assert questions(dom) == [1, 11, 21, 31, 41]
    assert '<mark class="gold"> The drug helped all patients. </mark>' in dom
    assert '<mark class="quoted">The drug\n helped all   patients.</mark>' in dom
    assert '<b class="tag">gold</b>' in dom
    assert '<details open=""><summary>2 passages, gold: 1</summary>' in dom


RAFT_RIGHT = {i for i in range(1, 48) if i % 4 != 3}
BY_JUDGE = {
    "judge=over&of=raft": [i for i in range(1, 48) if judged_right(i) == 1 and i not in RAFT_RIGHT],
    "judge=under&of=raft": [i for i in range(1, 48) if judged_right(i) == 0 and i in RAFT_RIGHT],
    "judge=missing&of=raft": [i for i in range(1, 48) if judged_right(i) is None],
}


@pytest.mark.slow
@pytest.mark.parametrize("choice", BY_JUDGE)
def test_a_link_shows_where_judge_and_metric_disagree(chromium: str, page: Path, tmp_path: Path, choice: str) -> None:
    dom = opened(chromium, page, choice, tmp_path)
    wanted = BY_JUDGE[choice]
    shown = [
        *questions(dom),
        *(questions(opened(chromium, page, f"{choice}&page=2", tmp_path)) if len(wanted) > 10 else []),
    ]
    assert sorted(shown) == wanted
    assert choice.replace("&", "&amp;") in page.read_text(), "the table of judge and metric has the link"


@pytest.mark.slow
def test_the_words_of_the_judge_and_the_claims_stand_below_each_reply(
    chromium: str, page: Path, tmp_path: Path
) -> None:
    dom = opened(chromium, page, "q=thought-07!&passages=1", tmp_path)
    assert questions(dom) == [7]
    seen = Page(dom).text
    assert seen.count("judge, correct ✓ Thought-07! ") == 2, "of rag and raft"
    assert "judge, correct: no judgement (not json)" in Page(opened(chromium, page, "judge=missing", tmp_path)).text
    assert "1 of 1 claims supported by the cited passages" in seen
    assert "cites 1 ✓" in seen
    assert "48" in seen.partition("no judgement")[2], "the table counts all questions"


def test_hostile_text_stays_text_in_the_browser(chromium: str, page: Path, tmp_path: Path) -> None:
    dom = opened(chromium, page, "q=onerror&passages=1", tmp_path)
    seen = Page(dom)
    assert "1 example of 48" in dom
    assert "<title>A study</title>" in dom, "no handler ran"
    assert "img" not in seen.tags
    assert seen.handlers == []
    assert seen.text.count("</script><img src=x") >= 5, "question, answer, passage, reply, words of the judge"


@pytest.mark.slow
def test_a_reply_is_shown_once(chromium: str, tmp_path: Path) -> None:
    """An unparsed reply is its own lenient reading, and in some forms its own answer."""
    made = Study(tmp_path, [example(0, "no"), example(1, "yes")])
    made.replies["rag"] = [answered(row, "perhaps it does") for row in made.examples]
    made.replies["raft"] = [answered(row, "##Answer: yes") for row in made.examples]
    made.config["arms"] = {name: arm for name, arm in ARMS.items() if name != "base"}
    dom = opened(chromium, made.run() / "report.html", "", tmp_path / "profile")
    shown = dom.partition('id="browser"')[2].partition("<script")[0]
    assert shown.count("perhaps it does") == 2, "once a question"
    assert shown.count("no answer in the requested form") == 2
    assert shown.index("q1") < shown.index("q0"), "the arms disagree on the second question"
