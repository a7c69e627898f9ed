"""The gate of questions that need two passages: each question must have a verbatim quote from each passage."""

import re
from collections import Counter
from collections.abc import Sequence

from raft_exp import prompts
from raft_exp.core.records import Passage
from raft_exp.core.words import count
from raft_exp.prompts import quotes
from raft_exp.tasks.ledger import LedgerEntry
from raft_exp.tasks.replies import Rejected, unusable
from raft_exp.teachers.gate import QUESTION_AND_ANSWER, none_usable, question_problem
from raft_exp.teachers.tasks import QuestionTask

# The label of a quote in the languages of prompt.language, with a few words behind it: "Quote 1:", "Quote from B:"
_LABEL = "Quote|Zitat|Citation|Cita|引用|引文|اقتباس|الاقتباس|उद्धरण"
_QUOTE = re.compile(rf"^[\s>*#-]*(?:{_LABEL})[^:：\n]{{0,40}}[:：][*\s]*(?P<quote>\S.*?)[*\s]*$", re.MULTILINE | re.I)
_MARKS = re.compile(f"{prompts.BEGIN_QUOTE}|{prompts.END_QUOTE}")
_AROUND = " \"'\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb\u300c\u300d"

WrittenQuestion = tuple[int, str, str, tuple[str, ...]]  # number in the reply, question, answer, a quote per passage


def questions(
    task: QuestionTask, entry: LedgerEntry, texts: Sequence[str]
) -> tuple[list[WrittenQuestion], Counter[str]] | Rejected:
    """Returns the usable questions of a reply (at most `task.n`), and the counts of unusable ones by reason.

    Returns a `Rejected` if no question is usable. `texts`: the two passages as the prompt shows them. Of a reply that
    was cut off, the last question is ignored.
    """
    assert task.pairs is not None, "only called for a task with pairs"
    rejected = unusable(entry)
    if rejected and rejected.reason != "cut_off":
        return rejected
    usable, dropped = list[WrittenQuestion](), Counter[str]()
    found = list(QUESTION_AND_ANSWER.finditer(entry.answer))
    ends = [*(match.start() for match in found[1:]), len(entry.answer)]
    for number, (match, end) in enumerate(zip(found, ends, strict=True)):
        if rejected and end == len(entry.answer):
            break
        question, answer = (" ".join(match[part].strip("* ").split()) for part in ("question", "answer"))
        quoted = [_bare(each["quote"]) for each in _QUOTE.finditer(entry.answer, match.end(), end)]
        quoted_from = _assigned(quoted, texts, task.pairs.min_quote_words)
        if reason := question_problem(task, question, answer):
            dropped[reason] += 1
        elif isinstance(quoted_from, str):
            dropped[quoted_from] += 1
        elif len(usable) < task.n:
            usable.append((number, question, answer, quoted_from))
    return (usable, dropped) if usable else rejected or none_usable(dropped, _EXPLANATIONS)


_EXPLANATIONS = {
    "few_quotes": "each needs two lines 'Quote 1: ...' and 'Quote 2: ...', one for each passage",
    "short_quote": "a quote had too few words",
    "quote_not_in_passage": "a quote does not stand word for word in a passage",
    "one_passage_quoted": "both quotes are from the same passage",
}


def quoted_sentences(passage: Passage, quote: str) -> list[int]:
    """Returns the numbers (from 0) of the passage's sentences that the quote overlaps; [] if it is not found."""
    spans = quotes.find(quote, passage.text, passage.title, 1)
    numbers, start = list[int](), 0
    for number, sentence in enumerate(passage.sentences):
        end = start + len(sentence)
        if any(first < end and last > start for first, last in spans) and sentence.strip():
            numbers.append(number)
        start = end
    return numbers


def _assigned(quoted: Sequence[str], texts: Sequence[str], min_words: int) -> tuple[str, ...] | str:
    """Returns one quote for each passage, in the order of the passages; else the reason why there is none."""
    if len(quoted) < len(texts):
        return "few_quotes"
    if any(count(quote) < min_words for quote in quoted):
        return "short_quote"
    stands = [[bool(quotes.find(quote, text, "", 1)) for text in texts] for quote in quoted]
    if not all(map(any, stands)):
        return "quote_not_in_passage"
    for one in range(len(quoted)):
        for other in range(len(quoted)):
            if one != other and stands[one][0] and stands[other][1]:
                return quoted[one], quoted[other]
    return "one_passage_quoted"


def _bare(quote: str) -> str:
    return _MARKS.sub(" ", quote).strip().strip(_AROUND)
