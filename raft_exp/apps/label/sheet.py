"""Writes the sheet: a page that works offline, and a CSV file for spreadsheet programs."""

import base64
import csv
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from raft_exp.apps.label.sample import SheetReply
from raft_exp.core.files import write_atomically
from raft_exp.evaluation.judge.labels import Label
from raft_exp.reporting.csv_export import safe_cell
from raft_exp.reporting.render import embedded

if TYPE_CHECKING:
    from markupsafe import Markup

PAGE, CSV = "sheet.html", "labels.csv"
_COLUMNS = ("label_id", "id", "task", "label", "to_decide", "question", "references", "reply", "passages")
_CELL = 32_000  # characters; a cell of a spreadsheet holds 32,767
_FOLDER = Path(__file__).parent / "page"
_PLACE = re.compile("@(policy|style|data|script)@")
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'"
_QUESTIONS = {
    "correct": "Is the answer correct by a reference, in any words?",
    "complete": "Does the reply answer every part of the question, and leave out nothing of a reference that the "
    "question asks for?",
}
_SUPPORTED = "How many of the reply's claims do the passages state or clearly imply?"
_REFUSAL = {
    True: "The writer had passages that hold the answer. Does the reply give an answer, as it should?",
    False: "The writer had passages that do not hold the answer. Does the reply decline to answer, as it should?",
}


class _ShownPassage(TypedDict):
    title: str
    place: str
    text: str


class _Task(TypedDict):
    name: str
    question: str
    claims: bool


class _PageReply(TypedDict):
    """A reply in the data of the page."""

    name: str
    id: str
    question: str
    references: list[str]
    explanation: str
    answer: str
    reply: str
    passages: list[_ShownPassage]
    tasks: list[_Task]


def write_sheet(
    folder: Path, replies: Sequence[SheetReply], tasks: Mapping[str, bool], labels: Sequence[Label]
) -> None:
    """Writes sheet.html and labels.csv. `tasks`: task -> whether its values are shares. `labels`: existing labels.

    The page keeps its labels in the browser, and writes the same CSV file without the texts.
    """
    known = {(label.reply, label.task): f"{label.value:g}" for label in labels}
    rows = [_page_reply(reply, tasks) for reply in replies]
    data = {"replies": rows, "labels": {f"{name} {task}": value for (name, task), value in known.items()}}
    write_atomically(folder / PAGE, _page(embedded(data)))
    temporary = folder / f".{CSV}.new"
    with temporary.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows(row for reply in rows for row in _csv_rows(reply, known))
    temporary.replace(folder / CSV)


def _page_reply(reply: SheetReply, tasks: Mapping[str, bool]) -> _PageReply:
    shown = reply.shown
    return {
        "name": reply.name,
        "id": shown.id,
        "question": shown.question,
        "references": shown.references,
        "explanation": shown.explanation,
        "answer": shown.answer,
        "reply": shown.reply,
        "passages": [{"title": one.title, "place": one.place, "text": one.text} for one in shown.passages],
        "tasks": [_task(task, reply, tasks[task]) for task in reply.tasks],
    }


def _task(name: str, reply: SheetReply, of_claims: bool) -> _Task:
    return {"name": name, "question": _question(name, reply, of_claims), "claims": of_claims}


def _question(task: str, reply: SheetReply, of_claims: bool) -> str:
    """Returns the question that people answer in a task.

    For a task of the user, it is the question about claims if `of_claims`, else the name of the task.
    """
    if task == "refusal":
        return _REFUSAL[reply.shown.gold_shown]
    return _QUESTIONS.get(task) or (_SUPPORTED if of_claims else f"{task.replace('_', ' ')}?")


def _csv_rows(reply: _PageReply, labels: Mapping[tuple[str, str], str]) -> Iterator[dict[str, object]]:
    passages = (" ".join(filter(None, (one["title"], one["place"]))) + f"\n{one['text']}" for one in reply["passages"])
    texts = {
        "id": reply["id"],
        "question": reply["question"],
        "references": "\n".join(filter(None, [*reply["references"], reply["explanation"]])),
        "reply": reply["reply"],
        "passages": "\n\n".join(passages),
    }
    for task in reply["tasks"]:
        row = {**texts, "label_id": reply["name"], "task": task["name"], "to_decide": task["question"]}
        row["label"] = labels.get((reply["name"], task["name"]), "")
        yield {name: safe_cell(text[:_CELL]) for name, text in row.items()}


def _page(data: "Markup") -> str:
    """Returns the page. Its content security policy forbids connections, and all scripts except the page's own."""
    script, style = ((_FOLDER / name).read_text(encoding="utf-8") for name in ("sheet.js", "sheet.css"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"{_POLICY}; script-src 'sha256-{digest}'"
    parts = {"policy": policy, "style": style, "data": str(data), "script": script}
    return _PLACE.sub(lambda match: parts[match[1]], (_FOLDER / "sheet.html").read_text(encoding="utf-8"))
