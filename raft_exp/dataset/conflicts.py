"""False passages: copies of gold passages with another question's answer in place of the right one.

A false passage replaces one distractor, so the number of passages stays the same. The false answer has the same type
as the right answer (`answer_types`). It never means the same as an accepted answer, and occurs neither in the question
nor in another passage of the context. docs/how-to/refusals-and-conflicts.md states the
rules.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from raft_exp.core.audit import NO_FALSE_PASSAGE
from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage, Question
from raft_exp.core.sampling import HashSample, seeded_bits
from raft_exp.core.scripts import has_unspaced
from raft_exp.core.text import answer_pattern, holds
from raft_exp.dataset.answer_types import AnswerType, answer_type, may_mean_the_same
from raft_exp.dataset.rows import FalsePassage, RenderedRow, RowSpec
from raft_exp.prompts.answer_kinds import Kind, kind

_SHORT = 3  # largest number of letters of an answer whose case must agree


class Conflicts:
    """Puts false passages into the rows of a split. Counts the rows with and without a false passage.

    `questions`: returns the questions of the split; their first answers are the possible false answers.
    """

    def __init__(self, collection: Passages, questions: Callable[[], Iterable[Question]], seed: int) -> None:
        self._collection, self._seed = collection, seed
        self._others = _by_type(questions())
        self.counts = Counter[str]()  # "planted", or a key of NO_FALSE_PASSAGE -> rows

    def into(self, specs: Iterable[RowSpec], chosen: HashSample) -> Iterator[RowSpec]:
        """Yields all rows, and puts false passages into the rows of the `chosen` questions.

        A row stays unchanged if it has no gold, or if no false passage is possible.
        """
        for spec in specs:
            wanted = spec.grounded and spec.question.id in chosen
            yield (self._planted(spec) or spec) if wanted else spec

    def alone(self, specs: Iterable[RowSpec]) -> Iterator[RowSpec]:
        """Yields the rows that can have a false passage, each with this passage. Leaves the other rows out."""
        return (planted for spec in specs if (planted := self._planted(spec)))

    def shown(self, rows: Iterable[RenderedRow]) -> Iterator[RenderedRow]:
        """Yields the rows whose prompt shows the false answer. Shortened passages may have lost this answer."""
        for row in rows:
            if row.example.planted:
                yield row
            else:
                self.counts.update({"cut": 1, "planted": -1})

    def figures(self) -> dict[str, int]:
        """Returns the counts above 0: rows with a false passage ("planted"), then rows without one, by reason."""
        return {name: self.counts[name] for name in ("planted", *NO_FALSE_PASSAGE) if self.counts[name]}

    def check(self, condition: str) -> None:
        """Raises DataError if no row got a false passage. `condition`: the test's condition; "" for none."""
        if self.counts["planted"] <= 0:
            setting = f"evaluation.conditions.{condition}.conflict" if condition else "evaluation.conflict"
            reasons = ", ".join(f"{count} ({NO_FALSE_PASSAGE[name]})" for name, count in self.figures().items())
            raise DataError(
                f"{setting}: got true, but no question can have a false passage; questions left out: {reasons}; set "
                f"{setting}=false"
            )

    def _planted(self, spec: RowSpec) -> RowSpec | None:
        made = self._false_passage(spec)
        self.counts[made if isinstance(made, str) else "planted"] += 1
        return None if isinstance(made, str) else replace(spec, planted=made)

    def _false_passage(self, spec: RowSpec) -> FalsePassage | str:
        """Returns the false passage of a row, or a key of NO_FALSE_PASSAGE if the row cannot have one."""
        question, context = spec.question, spec.context or []
        answers = answer_pattern(question.answers, self._collection.form)
        if answers is None:
            return "label"
        place = self._place(question, context)
        if place is None:
            return "no_distractor"
        if answers.search(question.question):
            return "in_question"
        rights = [answer for answer in question.answers if answer_type(answer) not in (None, "label")]
        gold = (ordinal for ordinal in map(self._collection.find, question.gold) if ordinal in context)
        holding = (passage for passage in map(self._collection.__getitem__, gold) if holds(answers, passage))
        literal = ((passage, _literal(passage, rights)) for passage in holding)
        source = next(((passage, right) for passage, right in literal if right), None)
        if source is None:
            return "not_in_gold"
        shown = [self._collection[ordinal] for ordinal in context if ordinal != place]
        for false in self._candidates(question, answer_type(source[1])):
            copy = _copy(source[0], rights, false)
            if self._is_false(false, question, shown):
                # the copy may still contain the right answer in another spelling
                return "not_in_gold" if holds(answers, copy) else FalsePassage(place, copy, false)
        return "no_other_answer"

    def _place(self, question: Question, context: Sequence[int]) -> int | None:
        """Returns the distractor whose place the false passage takes; None if there is none."""
        neither = {self._collection.find(name) for name in (*question.gold, *question.also_answering)}
        distractors = [ordinal for ordinal in context if ordinal not in neither]
        bits = seeded_bits(self._seed, "conflict place", question.id)
        return distractors[bits % len(distractors)] if distractors else None

    def _candidates(self, question: Question, of_type: AnswerType | None) -> Iterator[str]:
        """Yields all possible false answers of a type. (seed, question) decides which one is the first.

        Answers to questions of the same kind, e.g. about a place or a person, come before all others.
        """
        asked = kind(question.question)
        first = self._others.get((of_type, asked), [])
        rest = [self._others[key] for key in sorted(self._others, key=str) if key[0] == of_type and key[1] != asked]
        bits = seeded_bits(self._seed, "conflict answer", question.id)
        for answers in (first, *rest):
            start = bits % max(1, len(answers))
            yield from answers[start:]
            yield from answers[:start]

    def _is_false(self, false: str, question: Question, shown: Sequence[Passage]) -> bool:
        if any(may_mean_the_same(false, answer) for answer in question.answers):
            return False
        pattern = answer_pattern([false], self._collection.form)
        if pattern is None or pattern.search(question.question):
            return False
        return not any(holds(pattern, passage) for passage in shown)


def _by_type(questions: Iterable[Question]) -> dict[tuple[AnswerType | None, Kind], list[str]]:
    """Returns the distinct first answers of the questions by type and kind of question, sorted, without labels."""
    found: dict[tuple[AnswerType | None, Kind], set[str]] = {}
    for question in questions:
        answer = " ".join(question.answers[0].split()) if question.answers else ""
        of_type = answer_type(answer)
        if of_type and of_type != "label":
            found.setdefault((of_type, kind(question.question)), set()).add(answer)
    return {key: sorted(answers) for key, answers in found.items()}


def _literal(passage: Passage, answers: Sequence[str]) -> str:
    """Returns the longest answer that a passage holds letter for letter, ignoring case; "" if it holds none."""
    for answer in sorted(answers, key=lambda answer: (-len(answer), answer)):
        if (pattern := _pattern([answer])) and any(map(pattern.search, (passage.title, passage.text))):
            return answer
    return ""


def _copy(passage: Passage, answers: Sequence[str], false: str) -> Passage:
    """Returns a copy of a passage with `false` in place of each answer, in title and text."""
    pattern = _pattern(answers)
    assert pattern is not None, "the passage holds one of the answers"
    title, text = (pattern.sub(lambda _: false, part) for part in (passage.title, passage.text))
    name = f"conflict:{passage.id}"  # a new id, so that the copy shares no document with another passage
    return Passage(name, name, title, text, passage.place, [text], passage.source)


def _pattern(answers: Iterable[str]) -> re.Pattern[str] | None:
    alternatives = [_as_written(answer) for answer in sorted(answers, key=lambda answer: (-len(answer), answer))]
    return re.compile("|".join(filter(None, alternatives)), re.IGNORECASE) if any(alternatives) else None


def _as_written(answer: str) -> str:
    """Returns a regular expression for an answer as whole words, with any white space between its words.

    A part of a number is no word: 12 is not in 12.5. The case of a short answer counts: A is not the article.
    """
    words = answer.split()
    if not words:
        return ""
    before = r"(?<!\w)(?<!\d[.,])" if _is_spaced(words[0][0]) else ""
    after = r"(?!\w)(?![.,]\d)" if _is_spaced(words[-1][-1]) else ""
    whole = before + r"\s+".join(map(re.escape, words)) + after
    return f"(?-i:{whole})" if len("".join(words)) <= _SHORT else whole


def _is_spaced(letter: str) -> bool:
    """Whether a letter belongs to a script with spaces between words. Signs count as such a letter."""
    return not has_unspaced(letter)
