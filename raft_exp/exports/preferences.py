"""Format `dpo`: preference pairs for TRL's DPOTrainer, made from the training rows without a model.

A row has a pair if its prompt shows all gold passages, and its target has quotes that all stand word for word in gold
passages. `chosen` is the target. `rejected` is the target with each quote replaced by a sentence of a distractor. So
the two replies differ only in their quotes: they have the same form, words between the quotes, and answer.

The new quotes are the sentences of the distractors that are most similar to the question (ROUGE-L), in the order of the
prompt. Each of them stands in the prompt unchanged, is long enough to count as a verbatim quote, stands in no gold
passage, and contains no answer; answers such as yes and no are not searched for. Distractors that also answer the
question (`also_answering`) give no sentences. A row with too few such sentences has no pair. Rows without a pair are
left out and counted.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from raft_exp.core.records import ContextPassage, Example, Passage, Question, Target
from raft_exp.core.text import answer_pattern
from raft_exp.corpora.closest_sentences import closest_sentences
from raft_exp.exports import reward_columns
from raft_exp.exports.columns import Columns, ColumnType, Row
from raft_exp.exports.origins import RowOrigins
from raft_exp.prompts import BEGIN_QUOTE, END_QUOTE, completion, parse, quote, quotes

_MESSAGES: ColumnType = [{"role": "string", "content": "string"}]
COLUMNS: Columns = {
    "id": "string",
    "prompt": _MESSAGES,
    "chosen": _MESSAGES,
    "rejected": _MESSAGES,
    **reward_columns.COLUMNS,
}
_QUOTE = re.compile(f"{BEGIN_QUOTE}(?:(?!{BEGIN_QUOTE}).)*?{END_QUOTE}", re.DOTALL)


def row(example: Example, origins: RowOrigins) -> Row | None:
    """Returns the preference pair of a row and the columns that `raft_exp.rewards` reads; None if it has no pair."""
    question = origins.question(example.id)
    rejected = _rejected(example, question, origins)
    if rejected is None:
        return None
    return {
        "id": example.id,
        "prompt": example.messages[:-1],
        "chosen": example.messages[-1:],
        "rejected": [{"role": "assistant", "content": rejected}],
        **reward_columns.columns(example, question, origins),
    }


def _rejected(example: Example, question: Question, origins: RowOrigins) -> str | None:
    """Returns the target with quotes from distractors in place of its gold quotes; None if this is not possible."""
    settings = origins.rewards
    reply = parse(example.target, settings.reply_format)
    gold = [passage for passage in example.context if passage.gold]
    if not example.has_gold or not reply.quotes:
        return None
    if not all(_stands_in(text, gold, settings.min_quote_words) for text in reply.quotes):
        return None
    distractors = list(_quotable(example, question, origins))
    sentences = closest_sentences(example.question, distractors, len(reply.quotes), 0.0)
    if len(sentences) < len(reply.quotes):
        return None
    others = map(quote, sentences)
    reason = _QUOTE.sub(lambda _: next(others), reply.reason)
    return completion(Target(example.id, reply.prediction, reason), cot=True, reply_format=settings.reply_format)


def _quotable(example: Example, question: Question, origins: RowOrigins) -> Iterator[Passage]:
    """Yields the distractors of a row, in the order of the prompt, with the sentences that a wrong reply can quote."""
    neither = {*question.gold, *question.also_answering}
    gold = [passage for passage in example.context if passage.gold]
    answers = answer_pattern(example.answers, origins.form)
    least, seen = origins.rewards.min_quote_words, set[str]()
    for shown in example.context:
        if shown.gold or shown.id in neither:
            continue
        whole = origins.passage(shown.id)
        sentences = [
            text
            for text in dict.fromkeys(sentence.strip() for sentence in whole.sentences)
            if quotes.stands_exactly(text, shown.text)
            and _stands_in(text, [shown], least)
            and not _stands_in(text, gold, least)
            and not (answers and answers.search(text))
            and text not in seen
        ]
        seen.update(sentences)
        yield replace(whole, sentences=sentences)


def _stands_in(text: str, passages: Sequence[ContextPassage], min_words: int) -> bool:
    return any(quotes.find(text, passage.text, passage.title, min_words) for passage in passages)
