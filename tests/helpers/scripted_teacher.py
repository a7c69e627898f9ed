"""A small custom corpus, and a scripted teacher with good replies, or bad ones where a test sets them."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.helpers.scripted_server import MODEL, Say, Script, ScriptedServer, Step

PLACES = ("Velmor", "Harwick", "Calton", "Garford", "Denbury", "Ostpel", "Yorzan", "Brivar", "Selham", "Tormere")


def town(number: int) -> str:
    return f"{PLACES[number % len(PLACES)]} {number}"


def corpus(folder: Path, documents: int = 40, questions: bool = True) -> list[str]:
    """Writes passages and (with `questions`) questions; returns the overrides that select them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "id": f"d{number}",
            "title": town(number),
            "text": f"{town(number)} is a town. \u201c{town(number)}\u201d was founded in {1200 + number} by people "
            f"who had come over the hills with their cattle and their songs. Its mill has {number + 3} wheels.",
        }
        for number in range(documents)
    ]
    (folder / "passages.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = [
        {
            "id": f"q{number}",
            "question": f"When was {town(number)} founded?",
            "answers": [str(1200 + number)],
            "gold": [f"d{number}"],
            "split": "test" if number % 5 == 4 else "train",
        }
        for number in range(documents)
    ]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
    found = [f"corpus.path={folder / 'passages.jsonl'}"]
    return ["corpus=passages", *found, *([f"corpus.questions={folder / 'questions.jsonl'}"] if questions else [])]


def teacher(server: ScriptedServer, **changes: object) -> list[str]:
    """The overrides that make the server the teacher."""
    values = {"base_url": server.url, "model": MODEL, "api_key_env": "SCRIPTED_KEY"} | changes
    return ["teacher=openai", *(f"teacher.{name}={value}" for name, value in values.items())]


def asked_about(prompt: str) -> int:
    """The number of the town that a prompt is about."""
    found = re.search(r"(?:Question: (?:When was|What has the mill of)|<passage>\n)\s*\w+ (\d+)", prompt)
    assert found, prompt
    return int(found[1])


def good(prompt: str, times: int = 0) -> Say:
    """A good reply to each of the three tasks."""
    number = asked_about(prompt)
    if "different questions" in prompt:
        return Say(
            f"Question: When was {town(number)} founded?\nAnswer: {1200 + number}\n\n"
            f"Question: What has the mill of {town(number)}?\nAnswer: {number + 3} wheels"
        )
    if "unanswerable" in prompt:
        return Say("##Answer: " + (f"{number + 3} wheels" if "mill of" in prompt else f"in {1200 + number}"))
    answer = 1200 + number if "founded?" in prompt else f"{number + 3} wheels"
    return Say(
        f'##Reason: The passage tells it: ##begin_quote## "{town(number)}" was founded in {1200 + number} '
        f"##end_quote## and no more. ##Answer: {answer}"
    )


def script(bad: Mapping[int, Callable[[int], Step | None]]) -> Script:
    """Good replies, but for the towns in `bad`: their function gets the number of earlier requests (None: good)."""
    seen: dict[int, int] = {}

    def reply(prompt: str, times: int) -> Step:
        number = asked_about(prompt)
        if number not in bad:
            return good(prompt)
        seen[number] = seen.get(number, -1) + 1
        return bad[number](seen[number]) or good(prompt)

    return reply


def of_any_passage(prompt: str, times: int = 0) -> Say:
    """Good replies about any passage: questions for the words that follow others in it."""
    shown = prompt.partition("<passage>\n")[2].partition("\n</passage>")[0]
    words = shown.split("\n", 1)[-1].split()
    if "different questions" in prompt:
        pairs = [(words[at : at + 5], words[at + 5 : at + 8]) for at in (0, len(words) // 2)]
        return Say("\n".join(f"Question: What follows {' '.join(a)}?\nAnswer: {' '.join(b)}" for a, b in pairs))
    asked = re.search(r"What follows (.*)\?", prompt)
    assert asked, prompt
    before = asked[1].split()
    places = [at for at in range(len(words)) if words[at : at + len(before)] == before]
    if not places:
        return Say("##Answer: unanswerable")
    quoted = words[places[0] : places[0] + len(before) + 3]
    if "unanswerable" in prompt:
        return Say(f"##Answer: {' '.join(quoted[-3:])}")
    reason = f"The words stand there: ##begin_quote## {' '.join(quoted)} ##end_quote## That is all."
    return Say(f"##Reason: {reason} ##Answer: {' '.join(quoted[-3:])}")
