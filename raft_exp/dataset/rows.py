"""Renders rows: escapes control tokens, shortens passages to the model's length, and formats the messages."""

import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from raft_exp import prompts
from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import ContextPassage, Example, Messages, Passage, Question, Target
from raft_exp.core.schema import Positive, Runtime, config_dataclass
from raft_exp.core.text import answer_pattern, holds
from raft_exp.dataset.evidence import Evidence
from raft_exp.dataset.shown import ShownContext, gold_passages, holds_gold
from raft_exp.models.loading import ModelConfig, tokenizer_of
from raft_exp.models.template_date import DATE
from raft_exp.models.tokens import encode_completion, encode_prompt
from raft_exp.prompts import PromptConfig
from raft_exp.prompts.clean import Cleaner
from raft_exp.prompts.fit import Render, fit
from raft_exp.retrieval.filters import missing_gold

_QUOTE_MARKERS = re.compile(f"({prompts.BEGIN_QUOTE}|{prompts.END_QUOTE})")


@config_dataclass
class Window:
    """The properties of a model on which prompts depend: the tokenizer, and the limits in tokens."""

    name_or_path: str
    revision: str | None
    max_length: Positive
    max_new_tokens: Positive
    date: Runtime[str] = DATE  # today's date for the chat template


def window_of(model: ModelConfig) -> Window:
    """Returns the part of a model's settings that its prompts depend on."""
    return Window(model.name_or_path, model.revision, model.max_length, model.max_new_tokens, model.date)


@config_dataclass
class RowFormat:
    """The settings of a dataset that decide how its rows are rendered."""

    prompt: PromptConfig
    prompt_mode: str
    cot: bool
    window: Window
    fits_both: bool  # the context must fit into the prompts with and without CoT, so that all arms can share it
    other_prompts: list[PromptConfig] = field(default_factory=list)  # the context must fit into these prompts too
    measure_cut: bool = False  # computes `RenderedRow.tokens_needed` of rows with shortened passages


@dataclass(frozen=True)
class FalsePassage:
    """A passage with a false answer, which stands in a context in place of a distractor."""

    replaced: int  # ordinal of the distractor
    passage: Passage
    answer: str  # the false answer


@dataclass(frozen=True)
class RowSpec:
    """A row before rendering. Passages are ordinals, in prompt order; `context=None` means closed book."""

    question: Question
    context: list[int] | None
    target: Target | None  # None for test rows
    grounded: bool = False  # the target is written from passages of the context
    refuses: bool = False  # the target is a refusal by `dataset.refuse_share`
    planted: FalsePassage | None = None


@dataclass(frozen=True)
class RenderedRow:
    """A rendered row, with figures for the audit."""

    example: Example
    prompt_tokens: int
    completion_tokens: int
    counts: Counter[str]  # the keys of `core.audit.RowCounts` that rendering decides
    quotes: list[str]  # the quotes in the target
    gold_shown: int = 0  # number of gold passages of the question whose evidence the prompt shows
    gold_wanted: int = 0  # number of gold passages of the question
    text_left: float = 1.0  # share of the characters of the passages that the prompt shows
    tokens_needed: int = 0  # with `measure_cut`, of a shortened row: tokens of the whole prompt and its reply


class RowBuilder:
    """Renders rows one by one. Each worker process has its own builder."""

    def __init__(self, row_format: RowFormat, passages: Path) -> None:
        self._format = row_format
        self._passages = Passages(passages)
        self._tokenizer = tokenizer_of(row_format.window)
        self._clean = Cleaner(prompts.mode_of(row_format.prompt, row_format.prompt_mode), self._tokenizer)

    def __call__(self, spec: RowSpec) -> RenderedRow:
        """Renders a row. Raises DataError if the row exceeds `max_length` even with empty passages."""
        before = (self._clean.escaped, self._clean.replaced)
        question = self._clean(spec.question.question)
        completion = self._completion(spec.target)
        whole = [self._passage(ordinal, spec) for ordinal in spec.context or []]
        escaped, replaced = self._clean.escaped - before[0], self._clean.replaced - before[1]
        context = self._fit(spec, question, whole, self._reply_tokens(spec, completion))
        quotes_nothing = self._quotes_nothing(spec, context)
        if spec.target and quotes_nothing:
            completion = self._completion(replace(spec.target, reason=""))
        messages = self._messages(question, None if spec.context is None else context.shown, self._format.cot)
        prompt_tokens = len(encode_prompt(self._tokenizer, messages))
        if spec.target:
            messages = [*messages, {"role": "assistant", "content": completion}]
        quotes = prompts.parse(completion, self._format.prompt.reply_format).quotes
        has_gold = holds_gold(spec.question, context.shown)
        gold_lost = not has_gold and holds_gold(spec.question, context.whole)
        example = Example(
            id=spec.question.id,
            question=question,
            answers=spec.question.answers,
            context=context.shown,
            has_gold=has_gold,
            target=completion,
            target_grounded=spec.grounded and not gold_lost and not context.lost(quotes),
            messages=messages,
            split=spec.question.split,
            slices=spec.question.slices,
            planted=self._planted(spec, context.shown),
        )
        gold_cut = sum(old.gold for old, cut in zip(whole, context.cut, strict=True) if cut)
        counts = Counter(
            rows_cut=int(any(context.cut)),
            rows_gold_lost=int(gold_lost),
            reasons_dropped=int(quotes_nothing),
            gold_cut=gold_cut,
            distractors_cut=sum(context.cut) - gold_cut,
            **self._leaks(spec, context),
            escaped=escaped,
            replaced=replaced,
        )
        return RenderedRow(
            example,
            prompt_tokens,
            self._reply_tokens(spec, completion),
            counts,
            quotes,
            gold_passages(spec.question, context.shown),
            len(set(spec.question.gold)) + spec.question.gold_missing,
            context.text_left,
            self.tokens_needed(spec) if self._format.measure_cut and any(context.cut) else 0,
        )

    def tokens_needed(self, spec: RowSpec) -> int:
        """Returns the tokens of the longest prompt with whole passages, plus those of the longest reply.

        The longest prompt is that of `RowFormat` (`fits_both`, `other_prompts`). The longest reply is the larger of
        `max_new_tokens` and the target.
        """
        question = self._clean(spec.question.question)
        whole = [self._passage(ordinal, spec) for ordinal in spec.context or []]
        reply = max(self._format.window.max_new_tokens, self._reply_tokens(spec, self._completion(spec.target)))
        texts = [passage.text for passage in whole]
        renders = self._renders(spec, question, whole)
        return reply + max(len(encode_prompt(self._tokenizer, render(texts))) for render in renders)

    def _reply_tokens(self, spec: RowSpec, completion: str) -> int:
        return len(encode_completion(self._tokenizer, completion)) if spec.target else 0

    def _quotes_nothing(self, spec: RowSpec, context: ShownContext) -> bool:
        """Whether the target has reasoning and the prompt no text of passages: it would teach to invent quotes."""
        if spec.target is None or spec.context is None or not self._format.cot:
            return False
        return bool(spec.target.reason) and not any(passage.text for passage in context.shown)

    def _messages(self, question: str, context: Sequence[ContextPassage] | None, cot: bool) -> Messages:
        return prompts.messages(self._format.prompt, self._format.prompt_mode, question, context, cot)

    def _fit(self, spec: RowSpec, question: str, whole: list[ContextPassage], reply_tokens: int) -> ShownContext:
        window = self._format.window
        budget = window.max_length - max(window.max_new_tokens, reply_tokens)
        if budget <= 0:
            raise DataError(
                f"question {spec.question.id!r}: its target needs {reply_tokens} tokens, which leaves no room for the "
                f"prompt in model.max_length={window.max_length}; raise model.max_length, or use shorter targets"
            )

        renders = self._renders(spec, question, whole)
        texts = fit(self._tokenizer, renders, [p.text for p in whole], budget, f"question {spec.question.id!r}")
        return ShownContext(whole, self._with_gold_as_shown(spec, whole, _with_texts(whole, texts)))

    def _renders(self, spec: RowSpec, question: str, whole: Sequence[ContextPassage]) -> list[Render]:
        """Returns functions from the texts of the passages to a prompt. The texts must fit into each of these prompts.

        There is one function for `prompt` and one for each of `other_prompts`. If `fits_both` is true, there are two
        for each: with and without CoT.
        """

        def render(texts: Sequence[str], prompt: PromptConfig, cot: bool) -> Messages:
            context = None if spec.context is None else _with_texts(whole, texts)
            return prompts.messages(prompt, self._format.prompt_mode, question, context, cot)

        cot_options = (True, False) if self._format.fits_both else (self._format.cot,)
        wordings = [self._format.prompt, *self._format.other_prompts]
        return [partial(render, prompt=prompt, cot=cot) for prompt in wordings for cot in cot_options]

    def _with_gold_as_shown(
        self, spec: RowSpec, whole: list[ContextPassage], shown: list[ContextPassage]
    ) -> list[ContextPassage]:
        """Returns the shown passages. A gold passage that lost its evidence by shortening is not marked as gold."""
        if not any(old.gold and old.text != new.text for old, new in zip(whole, shown, strict=True)):
            return shown
        sources = [self._passages[ordinal] for ordinal in spec.context or []]
        gold = {name: self._passages[self._passages.find(name)] for name in spec.question.gold}
        gold |= {source.id: source for source, passage in zip(sources, whole, strict=True) if passage.gold}
        evidence = Evidence(spec.question, list(gold.values()), self._clean, self._passages.form)

        def stands(source: Passage, old: ContextPassage, new: ContextPassage) -> bool:
            return old.gold and (old.text == new.text or evidence.stands(source, new.text))

        rows = zip(sources, whole, shown, strict=True)
        return [replace(new, gold=stands(source, old, new)) for source, old, new in rows]

    def _leaks(self, spec: RowSpec, context: ShownContext) -> dict[str, int]:
        """Returns the numbers of distractors from a gold document (also in rows without gold) and with an open answer.

        The keys are those of `core.audit.RowCounts`. Returns {} for a row without distractors.
        """
        rows = zip(context.whole, context.shown, strict=True)
        neither = set(spec.question.also_answering)  # a retrieved context may hold them
        distractors = [new for old, new in rows if not old.gold and old.id not in neither]
        if not distractors:
            return {}
        gold = {self._passages[self._passages.find(name)].document_id for name in spec.question.gold}
        answers = answer_pattern(spec.question.answers, self._passages.form)
        return {
            "distractors_of_gold_document": sum(passage.document_id in gold for passage in distractors),
            "distractors_with_answer": sum(bool(answers and holds(answers, passage)) for passage in distractors),
        }

    def _planted(self, spec: RowSpec, shown: Sequence[ContextPassage]) -> str:
        """Returns the false answer of the row; "" if it has none, or if the prompt does not show it."""
        if spec.planted is None:
            return ""
        answer = self._clean(spec.planted.answer)
        pattern = answer_pattern([answer], self._passages.form)
        copies = [passage for passage in shown if passage.id == spec.planted.passage.id]
        return answer if pattern and any(holds(pattern, passage) for passage in copies) else ""

    def _passage(self, ordinal: int, spec: RowSpec) -> ContextPassage:
        question, planted = spec.question, spec.planted
        is_false = planted is not None and planted.replaced == ordinal
        passage = planted.passage if planted and is_false else self._passages[ordinal]
        title, place, text = self._clean(passage.title), self._clean(passage.place), self._clean(passage.text)
        gold = passage.id in question.gold or int(self._passages.documents[ordinal]) in missing_gold(question)
        gold = gold and not is_false
        return ContextPassage(passage.id, passage.document_id, title, text, gold, place)

    def _completion(self, target: Target | None) -> str:
        if target is None:
            return ""
        pieces = _QUOTE_MARKERS.split(target.reason)
        reason = "".join(piece if _QUOTE_MARKERS.fullmatch(piece) else self._clean(piece) for piece in pieces)
        cleaned = replace(target, answer=self._clean(target.answer), reason=reason)
        return prompts.completion(cleaned, self._format.cot, self._format.prompt.reply_format)


def _with_texts(passages: Sequence[ContextPassage], texts: Sequence[str]) -> list[ContextPassage]:
    return [replace(passage, text=text) for passage, text in zip(passages, texts, strict=True)]


def render_rows(row_format: RowFormat, passages: Path, specs: Iterable[RowSpec], workers: int) -> Iterator[RenderedRow]:
    """Renders rows in the order of `specs`, in `workers` processes (0 or 1: in this process)."""
    if workers <= 1:
        yield from map(RowBuilder(row_format, passages), specs)
        return
    chunks, waiting = _chunks(iter(specs), 64), deque[Future[list[RenderedRow]]]()
    # spawn: a fork would copy the parent's threads (tokenizers, BLAS) in an unknown state
    with ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (row_format, passages)) as pool:
        for chunk in chunks:
            waiting.append(pool.submit(_work, chunk))
            if len(waiting) > 2 * workers:  # bounds the rows in memory
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


_builder: RowBuilder | None = None


def _start_worker(row_format: RowFormat, passages: Path) -> None:
    global _builder
    _builder = RowBuilder(row_format, passages)


def _work(specs: Sequence[RowSpec]) -> list[RenderedRow]:
    assert _builder is not None, "the pool's initializer sets it"
    return [_builder(spec) for spec in specs]


def _chunks(specs: Iterator[RowSpec], size: int) -> Iterator[list[RowSpec]]:
    while chunk := list(islice(specs, size)):
        yield chunk
