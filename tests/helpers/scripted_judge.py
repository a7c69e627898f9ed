"""A scripted judge behind a server: it reads the prompt of its task, and errs where a test sets it."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from raft_exp.core.records import Answer, ContextPassage, Example, Question, write_jsonl
from raft_exp.evaluation.judge.config import OpenaiJudge, for_pairs, for_replies
from raft_exp.evaluation.judge.pairs_stage import JudgePairsStage, judge_pairs
from raft_exp.evaluation.judge.replies import ReplyForm
from raft_exp.evaluation.judge.rows import Judgement, PairJudgement, read_judgements, read_pairs
from raft_exp.evaluation.judge.stage import JudgeStage, judge
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose
from tests.helpers.scripted_server import MODEL, Say, Script, ScriptedServer

Verdict = Callable[[str, str], bool]  # (answer or reply, reference) -> right
FORM = ReplyForm("paper", "Not in the passages.")


def overrides(server: ScriptedServer, **changes: object) -> list[str]:
    """The overrides that make the server the judge of a study."""
    values = {"base_url": server.url, "model": MODEL, "api_key_env": "null"} | changes
    return ["judge@evaluation.judge=openai", *(f"evaluation.judge.{name}={value}" for name, value in values.items())]


@cache
def shipped() -> OpenaiJudge:
    chosen = parse(compose("+experiment=quickstart", "judge@evaluation.judge=openai")).evaluation.judge
    assert isinstance(chosen, OpenaiJudge)
    return chosen


class JudgedStudy:
    """The folders that a judge's stages read: test rows, questions, and the answers of arms."""

    def __init__(self, root: Path, n: int = 8, **changes: object) -> None:
        self.root, self.changes = root, changes
        self.examples = [self._example(number) for number in range(n)]
        for name in ("test", "questions"):
            (root / name).mkdir(parents=True)
        write_jsonl(root / "test" / "rows.jsonl", self.examples)
        asked = [Question(row.id, row.question, row.answers, [], "test") for row in self.examples]
        write_jsonl(root / "questions" / "questions.jsonl", asked)

    def _example(self, number: int) -> Example:
        gold = number % 4 != 3  # the last of four lacks its gold
        context = [
            ContextPassage(f"p{number}", "d", "Towns", f"Town {number} was founded in {1200 + number}.", gold),
            ContextPassage("x", "e", "Mills", "A mill has wheels.", False),
        ]
        question, answer = f"When was town {number} founded?", str(1200 + number)
        return Example(f"q{number}", question, [answer], context, gold, "", True, [], "test")

    def right(self, number: int) -> str:
        return f"##Reason: ##begin_quote## a town ##end_quote## so it is. ##Answer: in {1200 + number}"

    def answer(self, arm: str, replies: Sequence[str]) -> Path:
        folder = self.root / arm
        folder.mkdir()
        rows = (Answer(row.id, raw, False, 9, 9) for row, raw in zip(self.examples, replies, strict=True))
        write_jsonl(folder / "answers.jsonl", rows)
        return folder

    def judge(self, server: ScriptedServer, **changes: object) -> OpenaiJudge:
        mine = {"base_url": server.url, "model": MODEL, "api_key_env": None, "ledger": str(self.root / "ledger")}
        return replace(shipped(), **(mine | self.changes | changes))  # type: ignore[arg-type]

    def judged(self, chosen: OpenaiJudge, answers: Path, shows: bool = True, refusals: bool = True) -> list[Judgement]:
        out = self._out(f"judged_{answers.name}")
        settings = JudgeStage(for_replies(chosen), {}, FORM, shows, refusals)
        judge(settings, test=self.root / "test", questions=self.root / "questions", answers=answers, out=out)
        return list(read_judgements(out))

    def preferred(self, chosen: OpenaiJudge, a: Path, b: Path) -> list[PairJudgement]:
        out = self._out(f"pairs_{a.name}_{b.name}")
        settings = JudgePairsStage(for_pairs(chosen), {}, FORM)
        test, questions = self.root / "test", self.root / "questions"
        judge_pairs(settings, test=test, questions=questions, answers_a=a, answers_b=b, out=out)
        return list(read_pairs(out))

    def _out(self, name: str) -> Path:
        out = self.root / name
        out.mkdir(exist_ok=True)
        return out


def part(prompt: str, tag: str, place: int = 0) -> str:
    """The text of a tag in a prompt."""
    return re.findall(rf"<{tag}(?: [^>]*)?>\n(.*?)\n</{tag}>", prompt, re.DOTALL)[place]


def honest(answer: str, reference: str) -> bool:
    return reference in answer


def verdict(right: bool, reason: str = "As the reference says.") -> Say:
    return Say(json.dumps({"reason": reason, "verdict": right}))


def script(right: Verdict = honest, winner: Callable[[bool, bool], str] | None = None) -> Script:
    """Judges by `right`. `winner`: gets whether reply A and reply B are right, and returns A, B or tie."""

    def better(a: bool, b: bool) -> str:
        return "tie" if a == b else "A" if a else "B"

    def say(prompt: str, times: int) -> Say:
        reference = part(prompt, "reference") if "<reference>" in prompt else ""
        if "Reply A:" in prompt:
            a, b = (right(part(prompt, "reply", place), reference) for place in (0, 1))
            return Say(json.dumps({"reason": "Better.", "better": (winner or better)(a, b)}))
        if "<passage" in prompt:
            reply = part(prompt, "reply")
            passages = re.findall(r"<passage number=\"\d+\">\n(.*?)\n</passage>", prompt, re.DOTALL)
            numbers = [place for place, text in enumerate(passages, 1) if reply.split()[-1] in text]
            claim = {"claim": reply, "supported": bool(numbers), "passages": numbers}
            return Say(json.dumps({"reason": "Read them.", "claims": [claim]}))
        if "right to decline" in prompt:
            declines = "Not in the passages" in part(prompt, "reply")
            return verdict(declines != ("had passages that hold the answer" in prompt))
        return verdict(right(part(prompt, "answer" if "<answer>" in prompt else "reply"), reference))

    return say
