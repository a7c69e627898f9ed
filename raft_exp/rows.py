"""From a question and its chosen passages to a row: cleaned, fitted to the model, rendered, counted."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from raft_exp import prompts
from raft_exp.errors import DataError
from raft_exp.passages import Passages
from raft_exp.prompts import Messages, PromptConfig
from raft_exp.prompts.clean import Cleaner
from raft_exp.prompts.fit import fit
from raft_exp.prompts.tokens import encode_completion, encode_prompt, load_tokenizer
from raft_exp.records import ContextPassage, Example, Question, Target
from raft_exp.schema import Positive, config_dataclass

_QUOTE_MARKERS = re.compile(f"({prompts.BEGIN_QUOTE}|{prompts.END_QUOTE})")


@config_dataclass
class Window:
    """What of a model decides a prompt: its tokenizer and how many tokens it reads and writes."""

    name_or_path: str
    revision: str | None
    max_length: Positive
    max_new_tokens: Positive


@config_dataclass
class Rendering:
    """How rows are written."""

    prompt: PromptConfig
    prompt_mode: str
    cot: bool
    window: Window


@dataclass(frozen=True)
class Job:
    """A row to be written: passages by ordinal, in prompt order. `context=None` is closed book."""

    question: Question
    context: list[int] | None
    target: Target | None  # None for rows that are only asked
    grounded: bool = False


@dataclass(frozen=True)
class Row:
    """A finished row with what the audit wants to know of it."""

    example: Example
    prompt_tokens: int
    completion_tokens: int
    counts: Counter[str]  # gold_cut, distractors_cut, escaped


class RowBuilder:
    """Builds rows one by one; each worker process has its own."""

    def __init__(self, rendering: Rendering, passages: Path) -> None:
        self._rendering = rendering
        self._passages = Passages(passages)
        self._tokenizer = load_tokenizer(rendering.window.name_or_path, rendering.window.revision)
        self._clean = Cleaner(token.content for token in self._tokenizer.added_tokens_decoder.values())

    def __call__(self, job: Job) -> Row:
        """The finished row. Raises DataError when it cannot be made to fit."""
        before = self._clean.escaped
        question = self._clean(job.question.question)
        completion = self._completion(job.target)
        reply_tokens = len(encode_completion(self._tokenizer, completion)) if job.target else 0
        context, prompt_tokens, counts = self._context(job, question, reply_tokens)
        messages = self._messages(question, context)
        if job.target:
            messages = [*messages, {"role": "assistant", "content": completion}]
        example = Example(
            id=job.question.id,
            question=question,
            answers=job.question.answers,
            context=context or [],
            has_gold=any(passage.gold for passage in context or []),
            target=completion,
            target_grounded=job.grounded,
            messages=messages,
            split=job.question.split,
            slices=job.question.slices,
        )
        counts["escaped"] = self._clean.escaped - before
        return Row(example, prompt_tokens, reply_tokens, counts)

    def _messages(self, question: str, context: Sequence[ContextPassage] | None) -> Messages:
        how = self._rendering
        return prompts.messages(how.prompt, how.prompt_mode, question, context, how.cot)

    def _context(
        self, job: Job, question: str, reply_tokens: int
    ) -> tuple[list[ContextPassage] | None, int, Counter[str]]:
        window = self._rendering.window
        budget = window.max_length - max(window.max_new_tokens, reply_tokens)
        if budget <= 0:
            raise DataError(
                f"question {job.question.id!r}: its target needs {reply_tokens} tokens and model.max_length is "
                f"{window.max_length}; raise model.max_length, or use targets that are shorter"
            )
        whole = [self._passage(ordinal, job.question) for ordinal in job.context or []]
        item = f"question {job.question.id!r}"

        def render(passages: Sequence[ContextPassage]) -> Messages:
            return self._messages(question, None if job.context is None else passages)

        fitted = fit(self._tokenizer, render, whole, budget, item)
        cut = [before.gold for before, after in zip(whole, fitted, strict=True) if before.text != after.text]
        counts = Counter(gold_cut=cut.count(True), distractors_cut=cut.count(False))
        prompt_tokens = len(encode_prompt(self._tokenizer, render(fitted)))
        return (None if job.context is None else fitted), prompt_tokens, counts

    def _passage(self, ordinal: int, question: Question) -> ContextPassage:
        passage = self._passages[ordinal]
        title, place, text = self._clean(passage.title), self._clean(passage.place), self._clean(passage.text)
        return ContextPassage(passage.id, passage.document_id, title, text, passage.id in question.gold, place)

    def _completion(self, target: Target | None) -> str:
        if target is None:
            return ""
        pieces = _QUOTE_MARKERS.split(target.reason)
        reason = "".join(piece if _QUOTE_MARKERS.fullmatch(piece) else self._clean(piece) for piece in pieces)
        cleaned = replace(target, answer=self._clean(target.answer), reason=reason)
        return prompts.completion(cleaned, self._rendering.cot)


def build(rendering: Rendering, passages: Path, jobs: Sequence[Job], workers: int) -> Iterator[Row]:
    """Rows in the order of the jobs, whatever the number of worker processes (0 or 1: none)."""
    if workers <= 1 or len(jobs) < 2:
        yield from map(RowBuilder(rendering, passages), jobs)
        return
    # spawn: a fork would copy the parent's threads (tokenizers, BLAS) in an unknown state
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (rendering, passages)) as pool:
        for rows in pool.map(_work, _chunks(jobs, 64)):
            yield from rows


_builder: RowBuilder | None = None


def _start_worker(rendering: Rendering, passages: Path) -> None:
    global _builder
    _builder = RowBuilder(rendering, passages)


def _work(jobs: Sequence[Job]) -> list[Row]:
    assert _builder is not None, "the pool's initializer sets it"
    return [_builder(job) for job in jobs]


def _chunks(jobs: Sequence[Job], size: int) -> Iterable[Sequence[Job]]:
    return (jobs[start : start + size] for start in range(0, len(jobs), size))
