"""The gate: validates the replies of a teacher. Each rejection has a reason with a name.

The comparison of quotes with passages ignores white space and the style of quotation marks. The target then quotes the
exact words of the passage.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from raft_exp import prompts
from raft_exp.core.records import Question, Target
from raft_exp.core.text import CLOSED_CLASS, Form, plain_words
from raft_exp.core.words import count
from raft_exp.prompts.refusals import abstained
from raft_exp.tasks.ledger import LedgerEntry
from raft_exp.tasks.replies import Rejected, unusable
from raft_exp.teachers.tasks import AnswerTask, Gate, QuestionTask

_MARKS = re.compile(f"({prompts.BEGIN_QUOTE}|{prompts.END_QUOTE})")
_QUOTE_MARKS = re.compile(
    '["`\u00b4\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2039\u203a\uff02\uff07]'  # all become '
)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
# The words before a question and an answer. Models often translate them to the language of the prompt.
_QUESTION = "Q|Question|Frage|Pregunta|问题|問題|質問|السؤال|سؤال|प्रश्न"
_ANSWER = "A|Answer|Antwort|Réponse|Respuesta|答案|答え|回答|الإجابة|الجواب|उत्तर"
QUESTION_AND_ANSWER = re.compile(
    rf"^[\s>*#\d.)-]*(?:{_QUESTION})(?: ?\d+)?[*\s]*[:：][*\s]*(?P<question>\S.*?)\s*\n"
    rf"[\s>*#-]*(?:{_ANSWER})(?: ?\d+)?[*\s]*[:：][*\s]*(?P<answer>\S.*?)[*\s]*$",
    re.MULTILINE | re.IGNORECASE,
)
_POINTS_AT_PASSAGE = re.compile(
    r"\b(?:this|the|that|above|given|provided|following) (?:given |provided |above )?"
    r"(?:passage|text|document|excerpt|paragraph|context|section|article above|snippet)s?\b"
    r"|\b(?:d(?:ie|er|em|en|as|es)|diese[mnrs]?) (?:obigen? |vorliegenden? )?"
    r"(?:Passage|Text|Dokument|Abschnitt)(?:e?s)?\b"
    r"|\b(?:le|du|au|ce|cet) (?:passage|texte|document|extrait)\b"
    r"|\b(?:el|del|al|este|ese) (?:pasaje|texto|documento|fragmento)\b"
    r"|(?:该|此|这|上述|上面的)(?:段落|段文字|文本|文档|篇文章)|上文|(?:\A|[，在])本文"
    r"|(?:この|その|上の|上記の)(?:文章|本文|文書|テキスト)|(?:\A|、)本文"
    r"|(?<!\w)(?:المقطع|النص|المستند)(?: أعلاه)?(?!\w)|(?:इस|उस|उपरोक्त|दिए गए) (?:अनुच्छेद|पाठ|दस्तावेज़)",
    re.IGNORECASE,
)


def validate_reply(
    task: AnswerTask, entry: LedgerEntry, question: Question, gold: Sequence[str], form: Form = plain_words
) -> Target | Rejected:
    """Returns the target of a reply, or the reason why the reply is rejected.

    With `task.reply="text"` the whole reply is the reasoning, or the answer if the question has no answer. `gold`:
    texts of the passages in the prompt. `form`: function that normalises texts of this corpus for comparisons.
    """
    if rejected := unusable(entry):
        return rejected
    if task.reply == "text":
        return _judge_text(task.gate, entry.answer.strip(), question)
    reply = prompts.parse(entry.answer, task.reply)
    layout = f"{prompts.REASON} ... {prompts.ANSWER} ..." if task.reply == "paper" else 'one JSON object with "answer"'
    if not reply.parsed or not reply.prediction:
        return Rejected("no_answer_marker", f"it was not in the form {layout}")
    both = reply.reason + reply.prediction
    if prompts.ANSWER in both or prompts.REASON in both:
        return Rejected("several_answers", f"it must be one time {layout}")
    if mark := _MARKS.search(reply.prediction):
        return Rejected("quote_in_answer", f"its answer held {mark[0]}")
    answer = _agreed(reply.prediction, question, form) if task.gate.agrees and question.answers else reply.prediction
    if answer is None and abstained(reply.prediction, ""):
        return Rejected("refusal", "it declined to answer")
    if answer is None:
        return Rejected("other_answer", f"its answer was {reply.prediction[:80]!r}, and the verified one is another")
    if not question.answers and abstained(answer, ""):
        return Rejected("refusal", "it declined to answer")
    most = _most_answer_words(task.gate, question)
    if count(answer) > most:
        return Rejected("long_answer", f"its answer had more than {most} words")
    reason = _with_quotes(task.gate, reply.reason, gold)
    if isinstance(reason, Rejected):
        return reason
    return _length(task.gate, reason) or Target(question.id, answer, reason)


def _most_answer_words(gate: Gate, question: Question) -> int:
    """Returns the largest number of words of an answer: that of the gate, or of the longest verified answer."""
    return max([gate.max_answer_words, *map(count, question.answers)])


def _judge_text(gate: Gate, text: str, question: Question) -> Target | Rejected:
    if abstained(text, ""):
        return Rejected("refusal", "it declined to answer")
    if marker := _MARKS.search(text) or re.search(f"{prompts.REASON}|{prompts.ANSWER}", text):
        return Rejected("marker", f"it held {marker[0]}; write plain sentences")
    if rejected := _length(gate, text):
        return rejected
    text = " ".join(text.split())
    return Target(question.id, question.answers[0], text) if question.answers else Target(question.id, text)


def _length(gate: Gate, reason: str) -> Rejected | None:
    words = count(reason) - reason.count(prompts.BEGIN_QUOTE) - reason.count(prompts.END_QUOTE)
    if words < gate.min_words:
        return Rejected("short", f"its reasoning had {words} words; give at least {gate.min_words}")
    if words > gate.max_words:
        return Rejected("long", f"its reasoning had {words} words; give at most {gate.max_words}")
    return None


def _agreed(written: str, question: Question, form: Form) -> str | None:
    """Returns the question's answer that has the same words as `written`; None if no answer has.

    `written`: the answer in the reply. Answers are compared in their `form`, without English articles.
    """
    if written in question.answers:
        return written
    words = _words(written, form)
    return next((answer for answer in question.answers if _words(answer, form) == words), None)


def _words(text: str, form: Form) -> str:
    bare = form(text)
    return " ".join(_ARTICLES.sub(" ", bare).split()) or bare


def _with_quotes(gate: Gate, reason: str, gold: Sequence[str]) -> str | Rejected:
    """Returns the reasoning with each quote replaced by the exact words of the passage, or a rejection."""
    pieces = _MARKS.split(reason)
    marks = pieces[1::2]
    if marks != [prompts.BEGIN_QUOTE, prompts.END_QUOTE] * (len(marks) // 2):
        return Rejected("broken_quotes", f"{prompts.BEGIN_QUOTE} and {prompts.END_QUOTE} must stand in turn")
    if len(marks) // 2 < gate.min_quotes:
        between = f"between {prompts.BEGIN_QUOTE} and {prompts.END_QUOTE}"
        return Rejected("few_quotes", f"it had {len(marks) // 2} quotes {between}; give at least {gate.min_quotes}")
    parts = []
    for number, piece in enumerate(pieces[::2]):
        if number % 2 == 0:
            parts.append(" ".join(piece.split()))
            continue
        verbatim = next(filter(None, (_verbatim(piece, text) for text in gold)), None)
        if verbatim is None:
            shown = " ".join(piece.split())[:120]
            return Rejected("quote_not_in_gold", f"the quote {shown!r} does not stand word for word in a passage")
        parts.append(prompts.quote(verbatim))
    return " ".join(filter(None, parts))


def _verbatim(quote: str, text: str) -> str | None:
    """Returns the exact words of the text that match a quote; None if the text does not contain the quote."""
    wanted = " ".join(quote.split())
    if not wanted.strip("\"' .,"):
        return None
    if wanted in text:
        return wanted
    whole = _one_line(text)
    wanted, folded = _folded(wanted), _folded(whole)
    place = folded.find(wanted)
    if place < 0:  # the teacher may have put quotation marks around the quote
        wanted = wanted.strip("' ")
        place = folded.find(wanted)
    return whole[place : place + len(wanted)] if place >= 0 and wanted.strip("' .,") else None


@lru_cache(4096)
def _one_line(text: str) -> str:
    return " ".join(text.split())


def _folded(text: str) -> str:
    return _QUOTE_MARKS.sub("'", text)


def pairs(task: QuestionTask, entry: LedgerEntry) -> tuple[list[tuple[int, str, str]], Counter[str]] | Rejected:
    """Returns the usable questions of a reply, and the counts of unusable ones by reason; or why the reply is rejected.

    A usable question is (number in the reply, question, answer); only the first `task.n` are returned. Of a reply that
    was cut off, the last line is ignored.
    """
    rejected = unusable(entry)
    if rejected and rejected.reason != "cut_off":
        return rejected
    complete = entry.answer.rpartition("\n")[0] if rejected else entry.answer
    usable: list[tuple[int, str, str]] = []
    dropped = Counter[str]()
    for number, pair in enumerate(QUESTION_AND_ANSWER.finditer(complete)):
        question, answer = (" ".join(pair[part].strip("* ").split()) for part in ("question", "answer"))
        if reason := question_problem(task, question, answer):
            dropped[reason] += 1
        elif len(usable) < task.n:
            usable.append((number, question, answer))
    return (usable, dropped) if usable else rejected or none_usable(dropped, {})


def none_usable(dropped: Counter[str], explanations: Mapping[str, str]) -> Rejected:
    """Returns why no question of a reply can be used: the most frequent reason in `dropped`, with its explanation.

    `explanations`: reason -> explanation; without one, the name of the reason is the explanation.
    """
    if not dropped:
        return Rejected("no_questions", "it held no line 'Question: ...' followed by a line 'Answer: ...'")
    reason = dropped.most_common(1)[0][0]
    explanation = explanations.get(reason, reason.replace("_", " "))
    return Rejected(reason, f"no question of it can be used ({explanation})")


def question_problem(task: QuestionTask, question: str, answer: str) -> str:
    """Returns the reason why a written question is unusable; "" if it is usable."""
    if not question.endswith(("?", "？", "؟", "か。")):
        return "not_a_question"
    if not 3 <= count(question) <= task.max_question_words:
        return "question_length"
    if _POINTS_AT_PASSAGE.search(question):
        return "points_at_passage"
    if abstained(answer, ""):
        return "refusal"
    return "long_answer" if count(answer) > task.max_answer_words else ""


def same_answer(written: str, checked: str, agreement: float, form: Form = plain_words) -> bool:
    """Returns whether two answers agree: one contains the other, or the F1 of their words is at least `agreement`.

    If one is a label (yes, no, ...), the first words of both must be equal. An answer without words agrees with no
    answer. `form` normalises texts for the comparison.
    """
    one, other = _words(written, form), _words(checked, form)
    if not one or not other:
        return False
    if one in CLOSED_CLASS or other in CLOSED_CLASS:
        return one.split()[0] == other.split()[0]
    if f" {one} " in f" {other} " or f" {other} " in f" {one} ":
        return True
    shared = (Counter(one.split()) & Counter(other.split())).total()
    return 2 * shared >= agreement * (len(one.split()) + len(other.split())) and shared > 0
