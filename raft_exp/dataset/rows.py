"""From a question and its chosen passages to a row: cleaned, fitted to the model, rendered, counted."""

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from raft_exp import prompts
from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import ContextPassage, Example, Messages, Question, Target
from raft_exp.core.schema import Positive, config_dataclass
from raft_exp.core.text import answer_pattern, holds
from raft_exp.models.tokens import encode_completion, encode_prompt, load_tokenizer
from raft_exp.prompts import PromptConfig
from raft_exp.prompts.clean import Cleaner
from raft_exp.prompts.fit import fit
from raft_exp.retrieval.filters import missing_gold

_QUOTE_MARKERS = re.compile(f"({prompts.BEGIN_QUOTE}|{prompts.END_QUOTE})")


@config_dataclass
class Window:
    """What of a model decides a prompt: its tokenizer and how many tokens it reads and writes."""

    name_or_path: str
    revision: str | None
    max_length: Positive
    max_new_tokens: Positive


@config_dataclass
class RowFormat:
    """How rows are written."""

    prompt: PromptConfig
    prompt_mode: str
    cot: bool
    window: Window
    fits_both: bool  # the context must fit with either instruction, so that all arms can share it


@dataclass(frozen=True)
class RowSpec:
    """A row to be written: passages by ordinal, in prompt order. `context=None` is closed book."""

    question: Question
    context: list[int] | None
    target: Target | None  # None for rows that are only asked
    grounded: bool = False


@dataclass(frozen=True)
class RenderedRow:
    """A finished row with what the audit wants to know of it."""

    example: Example
    prompt_tokens: int
    completion_tokens: int
    counts: Counter[str]  # gold_cut, distractors_cut, escaped, replaced, distractors_of_gold_document, ..._with_answer
    quotes: list[str]  # of the target


class RowBuilder:
    """Builds rows one by one; each worker process has its own."""

    def __init__(self, rendering: RowFormat, passages: Path) -> None:
        self._rendering = rendering
        self._passages = Passages(passages)
        self._tokenizer = load_tokenizer(rendering.window.name_or_path, rendering.window.revision)
        self._clean = Cleaner(prompts.MODES[rendering.prompt_mode], self._tokenizer)

    def __call__(self, job: RowSpec) -> RenderedRow:
        """The finished row. Raises DataError when it cannot be made to fit."""
        before = (self._clean.escaped, self._clean.replaced)
        question = self._clean(job.question.question)
        completion = self._completion(job.target)
        reply_tokens = len(encode_completion(self._tokenizer, completion)) if job.target else 0
        whole = [self._passage(ordinal, job.question) for ordinal in job.context or []]
        context = self._fitted(job, question, whole, reply_tokens)
        messages = self._messages(question, None if job.context is None else context, self._rendering.cot)
        prompt_tokens = len(encode_prompt(self._tokenizer, messages))
        if job.target:
            messages = [*messages, {"role": "assistant", "content": completion}]
        cut = [old.gold for old, new in zip(whole, context, strict=True) if old.text != new.text]
        counts = Counter(gold_cut=cut.count(True), distractors_cut=cut.count(False), **self._leaks(job, context))
        counts["escaped"], counts["replaced"] = self._clean.escaped - before[0], self._clean.replaced - before[1]
        quotes = prompts.parse(completion, self._rendering.prompt.reply_format).quotes
        example = Example(
            id=job.question.id,
            question=question,
            answers=job.question.answers,
            context=context,
            has_gold=not job.question.gold_missing and _holds(context, job.question.gold),
            target=completion,
            # a quote of what had to be cut away is no longer grounded
            target_grounded=job.grounded and (True not in cut or quotes_stand_in(quotes, context)),
            messages=messages,
            split=job.question.split,
            slices=job.question.slices,
        )
        return RenderedRow(example, prompt_tokens, reply_tokens, counts, quotes)

    def _messages(self, question: str, context: Sequence[ContextPassage] | None, cot: bool) -> Messages:
        how = self._rendering
        return prompts.messages(how.prompt, how.prompt_mode, question, context, cot)

    def _fitted(
        self, job: RowSpec, question: str, whole: list[ContextPassage], reply_tokens: int
    ) -> list[ContextPassage]:
        window = self._rendering.window
        budget = window.max_length - max(window.max_new_tokens, reply_tokens)
        if budget <= 0:
            raise DataError(
                f"question {job.question.id!r}: its target needs {reply_tokens} tokens and model.max_length is "
                f"{window.max_length}; raise model.max_length, or use targets that are shorter"
            )

        def render(passages: Sequence[ContextPassage], cot: bool) -> Messages:
            return self._messages(question, None if job.context is None else passages, cot)

        asked = (True, False) if self._rendering.fits_both else (self._rendering.cot,)
        renders = [partial(render, cot=cot) for cot in asked]
        return fit(self._tokenizer, renders, whole, budget, f"question {job.question.id!r}")

    def _leaks(self, job: RowSpec, context: Sequence[ContextPassage]) -> dict[str, int]:
        """Distractors that should not be there: of a gold document (also where the gold is not), with the answer."""
        distractors = [passage for passage in context if not passage.gold]
        if not distractors:
            return {}
        gold = {self._passages[self._passages.find(name)].document_id for name in job.question.gold}
        answers = answer_pattern(job.question.answers)
        return {
            "distractors_of_gold_document": sum(passage.document_id in gold for passage in distractors),
            "distractors_with_answer": sum(bool(answers and holds(answers, passage)) for passage in distractors),
        }

    def _passage(self, ordinal: int, question: Question) -> ContextPassage:
        passage = self._passages[ordinal]
        title, place, text = self._clean(passage.title), self._clean(passage.place), self._clean(passage.text)
        gold = passage.id in question.gold or int(self._passages.documents[ordinal]) in missing_gold(question)
        return ContextPassage(passage.id, passage.document_id, title, text, gold, place)

    def _completion(self, target: Target | None) -> str:
        if target is None:
            return ""
        pieces = _QUOTE_MARKERS.split(target.reason)
        reason = "".join(piece if _QUOTE_MARKERS.fullmatch(piece) else self._clean(piece) for piece in pieces)
        cleaned = replace(target, answer=self._clean(target.answer), reason=reason)
        return prompts.completion(cleaned, self._rendering.cot, self._rendering.prompt.reply_format)


def _holds(context: Sequence[ContextPassage], gold: Sequence[str]) -> bool:
    """Whether all the gold passages stand in the context, and not as empty shells cut to nothing."""
    texts = {passage.id: passage.text for passage in context if passage.id in gold}
    return set(texts) == set(gold) and any(texts.values())


def quotes_stand_in(quotes: Sequence[str], context: Sequence[ContextPassage]) -> bool:
    """Whether every quote stands word for word (white space aside) in a passage of the context."""
    texts = [" ".join(passage.text.split()) for passage in context]
    return all(any(" ".join(quote.split()) in text for text in texts) for quote in quotes)


def render_rows(rendering: RowFormat, passages: Path, jobs: Iterable[RowSpec], workers: int) -> Iterator[RenderedRow]:
    """Rows in the order of the jobs, whatever the number of worker processes (0 or 1: none)."""
    if workers <= 1:
        yield from map(RowBuilder(rendering, passages), jobs)
        return
    chunks, waiting = _chunks(iter(jobs), 64), deque[Future[list[RenderedRow]]]()
    # spawn: a fork would copy the parent's threads (tokenizers, BLAS) in an unknown state
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (rendering, passages)) as pool:
        for chunk in chunks:
            waiting.append(pool.submit(_work, chunk))
            if len(waiting) > 2 * workers:  # no more than this in memory, however many jobs there are
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


_builder: RowBuilder | None = None


def _start_worker(rendering: RowFormat, passages: Path) -> None:
    global _builder
    _builder = RowBuilder(rendering, passages)


def _work(jobs: Sequence[RowSpec]) -> list[RenderedRow]:
    assert _builder is not None, "the pool's initializer sets it"
    return [_builder(job) for job in jobs]


def _chunks(jobs: Iterator[RowSpec], size: int) -> Iterator[list[RowSpec]]:
    while chunk := list(islice(jobs, size)):
        yield chunk
