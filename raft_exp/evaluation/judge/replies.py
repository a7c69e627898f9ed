"""The replies of an arm as a judge sees them: without the markers of their form, and without the name of the arm."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.records import Answer, Example, Passage, Question, read_jsonl
from raft_exp.core.schema import config_dataclass
from raft_exp.prompts import BEGIN_QUOTE, END_QUOTE, ReplyFormat, lenient, parse
from raft_exp.prompts.refusals import abstained
from raft_exp.prompts.visible import without_thinking

_MARKER = re.compile(r"##\w+(?:##|:)")


@config_dataclass
class ReplyForm:
    """The form of an arm's replies."""

    reply_format: ReplyFormat  # the requested form
    refusal: str  # the text of a refusal in the study


@dataclass(frozen=True)
class JudgedReply:
    """A reply of an arm, with what a judge may see beside it."""

    id: str  # of the question
    question: str
    references: list[str]  # the answers of the data set
    explanation: str  # its long answer; "" for none
    passages: list[Passage]  # of the arm's prompt; [] for an arm without passages
    gold_shown: bool  # the test row has all gold passages, also where the arm's prompt shows no passages
    reply: str  # reasons and answer; quotes in quotation marks; "" for an empty reply
    answer: str  # the answer alone
    declines: bool  # the reply declines to answer

    def values(self) -> dict[str, object]:
        """Returns the variables about the question that a task's templates may use."""
        shown = {"references": self.references, "explanation": self.explanation}
        return {"question": self.question, **shown}


def judged_replies(
    form: ReplyForm, test: Path, questions: Path, answers: Path, shows_passages: bool
) -> Iterator[JudgedReply]:
    """Yields the replies of an arm in the order of the test questions. A question without an answer has an empty reply.

    `test`, `questions`, `answers`: result folders of the test rows, of the stage `questions`, and of the arm's stage
    `evaluate`. `shows_passages`: whether the prompts of the arm have passages.
    """
    raw = {answer.id: answer.raw for answer in read_jsonl(answers / "answers.jsonl", Answer)}
    examples = list(read_jsonl(test / "rows.jsonl", Example))
    explanations = _explanations(questions, {example.id for example in examples})
    for example in examples:
        reply, answer = shown_reply(raw.get(example.id, ""), form.reply_format, example.question)
        yield JudgedReply(
            example.id,
            example.question,
            example.answers,
            explanations.get(example.id, ""),
            [_passage(example, place) for place in range(len(example.context))] if shows_passages else [],
            example.has_gold,
            reply,
            answer,
            abstained(answer, form.refusal, example.question),
        )


def shown_reply(raw: str, reply_format: ReplyFormat, question: str) -> tuple[str, str]:
    """Returns the text of a reply (reasons, then the answer) and its answer alone, without markers and thinking."""
    raw = without_thinking(raw)
    parsed = parse(raw, reply_format)
    if not parsed.parsed:
        whole = _plain(raw)
        return whole, _plain(lenient.said(raw, question).text) or whole
    answer = _plain(parsed.prediction)
    return "\n".join(filter(None, (_plain(parsed.reason), answer))), answer


def _plain(text: str) -> str:
    quoted = re.sub(rf"{BEGIN_QUOTE}\s*", "\u201c", text)
    quoted = re.sub(rf"\s*{END_QUOTE}", "\u201d", quoted)
    return "\n".join(filter(None, (" ".join(line.split()) for line in _MARKER.sub(" ", quoted).splitlines())))


def _passage(example: Example, place: int) -> Passage:
    shown = example.context[place]
    return Passage(shown.id, shown.document_id, shown.title, shown.text, shown.place, [], "")


def _explanations(questions: Path, ids: set[str]) -> dict[str, str]:
    rows = read_jsonl(questions / "questions.jsonl", Question)
    return {row.id: row.explanation for row in rows if row.explanation and row.id in ids}
