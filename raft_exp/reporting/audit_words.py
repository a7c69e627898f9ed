"""The figures of audit.json in words, for the tables of the pages. The keys are described in `raft_exp.core.audit`."""

from collections.abc import Mapping

from raft_exp.core.audit import OverlapCount, RowCount

SPLITS = {"train": "training rows", "validation": "validation rows", "test": "test rows"}

# The counts `quotes_*_verbatim` stand in the cells of `quotes_*`.
ROW_COUNTS: Mapping[RowCount, str] = {
    "distractors_cut": "distractors shortened to fit the prompt",
    "distractors_of_gold_document": "distractors from a gold passage's own document",
    "distractors_with_answer": "distractors that hold an answer",
    "escaped": "control tokens and marks escaped in texts",
    "escaped_messages": "messages with escaped control tokens",
    "gold_cut": "gold passages shortened to fit the prompt",
    "grounded": "targets whose evidence stands in the prompt",
    "quotes_closest": "quotes where gold is only the closest passage (word for word)",
    "quotes_grounded": "quotes in targets with their evidence (word for word)",
    "quotes_ungrounded": "quotes in targets without their evidence (word for word)",
    "reasons_dropped": "targets without reasoning, as there is nothing to quote",
    "repeated_texts": "passages whose text stands earlier in the prompt",
    "replaced": "characters replaced by U+FFFD",
    "rows_cut": "prompts whose passages were shortened to fit",
    "rows_gold_lost": "prompts whose gold lost its evidence to the cut",
}
OVERLAP: Mapping[OverlapCount, str] = {
    "questions": "questions with equal words (leaks)",
    "near_questions": "questions nearly word for word, with the same answer (leaks)",
    "questions_of_other_documents": "questions with equal words about other documents (no leaks)",
    "answers": "different answers",
    "passages": "gold passages with equal words",
    "near_passages": "gold passages with a near copy",
    "gold_overlap": "questions that rest on such a gold passage",
    "boilerplate_passages": "gold passages too short or too frequent to be leaks",
}
PASSED_OVER = {
    "gold_passage": "gold passages of the question",
    "same_text": "with a text that is there already",
    "gold_document": "from a gold passage's own document",
    "holds_answer": "with an answer",
    "answers_too": "with an answer, beside the gold passage in its document",
}
REPLIES = {
    "asked": "requests",
    "kept": "usable replies",
    "quarantined": "items without a usable reply",
    "asked_again": "requests repeated",
    "replies": "replies",
    "prompt_tokens": "tokens of the prompts",
    "new_tokens": "tokens of the replies",
    "cost": "cost",
}
CONTEXTS = {
    "gold_and_distractors": "gold and distractors",
    "retrieved": "retrieved passages",
    "given": "the passages published with each question",
}


def in_words(key: str) -> str:
    """A key without its underscores, for those that have no words of their own."""
    return key.replace("_", " ")
