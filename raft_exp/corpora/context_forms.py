"""Questions with passages in the forms that several data sets share. Each row is one question.

- DPR's training file: {question, answers, positive_ctxs, hard_negative_ctxs}. Each context is {title, text, score}.
- One passage that holds the answer: {question, answers, ctx}.
- Retrieved passages: {question, answers, ctxs}. Each context is {title, text} with `isgold` (lost-in-the-middle) or
  `hasanswer` or `has_answer` (DPR), or without a flag (FlashRAG's retrieval_result). Without a flag, a passage holds
  the answer if it has one of the answers word for word.
- Questions without passages: {question, answers} or {question, answer}.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from raft_exp.core.collection import hash64
from raft_exp.core.text import AnswerSearch, answer_pattern, plain_words
from raft_exp.corpora.context_records import Piece
from raft_exp.corpora.readers.fields import Fields
from raft_exp.corpora.readers.json_records import Row

_ANNOTATED = 1000  # DPR's score of the annotated passage; other positives only contain the answer


def is_question(row: Row) -> bool:
    """Whether a row has one of these forms."""
    return "question" in row and bool(row.keys() & {"answers", "answer", "positive_ctxs", "ctxs", "ctx"})


def answers_of(fields: Fields) -> list[str]:
    """Returns the distinct answers of a row."""
    return list(dict.fromkeys(fields.texts("answers") or fields.texts("answer")))


def pieces_of(fields: Fields, row: Row, answers: Sequence[str] | None) -> list[Piece] | None:
    """Returns the passages of a row that have a text, in the published order.

    Returns None for a row without a field of passages (`positive_ctxs`, `ctx`, `ctxs`). Raises DataError for a field of
    another form.

    `answers`: if no passage in `ctxs` has the field `isgold`, the first passage that holds an answer is gold. None:
    only passages in `ctxs` with a true `isgold` are gold.
    """
    if "positive_ctxs" in row:
        return _dpr(fields)
    if "ctx" in row:
        context = fields.get("ctx", dict)
        return [_piece(Fields(f"{fields.where}, ctx", context), True)] if context else []
    if "ctxs" not in row:
        return None
    contexts = _contexts(fields, "ctxs")
    if answers is None or any(context.truth("isgold") is not None for context in contexts):
        return [_piece(context, context.flag("isgold")) for context in contexts]
    search = answer_pattern(answers, plain_words)
    return first_is_gold([_piece(context, _holds(context, search)) for context in contexts])


def first_is_gold(pieces: Iterable[Piece]) -> list[Piece]:
    """Returns the passages. Only the first gold passage stays gold; later gold passages become `also_answering`."""
    found, marked = False, list[Piece]()
    for piece in pieces:
        marked.append(replace(piece, gold=False, also_answering=True) if piece.gold and found else piece)
        found = found or piece.gold
    return marked


def as_written_first(answers: Sequence[str], text: str) -> list[str]:
    """Returns the answers in their order, but the longest answer that `text` contains comes first.

    The first answer is the target of training, so it should be an answer that the gold passage contains. The published
    order is arbitrary, for example "N Z" before "New Zealand". Scores do not depend on the order.
    """
    words = f" {plain_words(text)} "
    inside = [answer for answer in answers if f" {plain_words(answer)} " in words and plain_words(answer)]
    if not inside:
        return list(answers)
    best = max(inside, key=lambda answer: (len(plain_words(answer)), answer in text))
    return [best, *(answer for answer in answers if answer != best)]


def question_id(question: str, seen: Counter[str]) -> str:
    """Returns the id of a question in a form without ids: a hash of its text, numbered if it is repeated."""
    name = f"{hash64(question):016x}"
    seen[name] += 1
    return name if seen[name] == 1 else f"{name}-{seen[name]}"


def _dpr(fields: Fields) -> list[Piece]:
    """Returns the passages of a row, the annotated ones as gold; without annotations, all positive ones as gold."""
    positive = _contexts(fields, "positive_ctxs")
    annotated = [context for context in positive if context.get("score", int, float) == _ANNOTATED] or positive
    negative = _contexts(fields, "hard_negative_ctxs")
    return [_piece(context, True) for context in annotated] + [_piece(context, False) for context in negative]


def _holds(context: Fields, search: AnswerSearch | None) -> bool:
    """Whether a passage holds an answer: by its flag (true, or the answer that was found), else by a search."""
    flag = context.truth("hasanswer", "has_answer")
    return flag if flag is not None else search is not None and search.search(context.needed("text"))


def _contexts(fields: Fields, name: str) -> list[Fields]:
    """Returns the entries of a list field that have a text."""
    contexts = fields.get(name, list) or []
    if not all(isinstance(context, dict) for context in contexts):
        raise fields.error(name, f"is {contexts!r:.60}", "give a list of {title, text}")
    placed = [Fields(f"{fields.where}, {name} {number}", context) for number, context in enumerate(contexts, start=1)]
    return [context for context in placed if (context.text("text") or "").strip()]


def _piece(context: Fields, gold: bool) -> Piece:
    return Piece(context.text("title") or "", context.needed("text"), gold)
