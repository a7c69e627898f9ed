"""Labels for the figures of audit.json in the tables of the pages. `raft_exp.core.audit` describes the keys."""

from collections.abc import Mapping

from raft_exp.core import audit
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
    "grounded": "targets whose evidence is in the prompt",
    "quotes_closest": "quotes from gold that was assigned by similarity (of these, word for word)",
    "quotes_grounded": "quotes in targets with their evidence (of these, word for word)",
    "quotes_ungrounded": "quotes in targets without their evidence (of these, word for word)",
    "reasons_dropped": "targets without reasoning, because no text is left to quote",
    "repeated_texts": "passages whose text occurs earlier in the prompt",
    "replaced": "characters replaced by U+FFFD",
    "rows_cut": "prompts whose passages were shortened to fit",
    "rows_gold_lost": "prompts in which shortening removed the evidence",
}
NO_FALSE_PASSAGE = {name: f"no false passage: {why}" for name, why in audit.NO_FALSE_PASSAGE.items()}
OVERLAP: Mapping[OverlapCount, str] = {
    "questions": "questions with the same words (leaks)",
    "near_questions": "questions with nearly the same words and the same answer (leaks)",
    "questions_of_other_documents": "questions with the same words about other documents (no leaks)",
    "answers": "distinct answers",
    "passages": "gold passages with the same words",
    "near_passages": "gold passages with a near copy",
    "gold_overlap": "questions whose gold passage, or a near copy of it, is in training",
    "boilerplate_passages": "gold passages too short or too frequent to be leaks",
}
PASSED_OVER = {
    "gold_passage": "gold passages of the question",
    "same_text": "with a text that is already in the context",
    "gold_document": "from a gold passage's own document",
    "holds_answer": "that contain an answer",
    "of_another_split": "from documents of another split",
    "answers_too": "that contain an answer and are in the gold passage's document",
}
RECORDS = {  # of APIBench
    "api_calls": "different calls in the documentation",
    "api_documents": "documents",
    "api_gold_by_call": "questions whose gold document was found by its call",
    "api_gold_by_name": "questions whose gold document was found by its name and description",
    "api_questions_with_several_documents": "questions whose call is that of several documents",
    "api_questions_without_document": "questions without a document",
    "api_repeated_documents": "documents that repeat another one",
    "odd_call_not_in_documentation": "questions whose call is in the documentation with other options, or not at all",
    "odd_code_no_text": "questions in a field that is no text",
    "odd_dictionary_layout": "questions in the layout of a Python dictionary",
    "odd_documents_without_call": "documents without a call",
    "odd_output_without_api_call": "outputs that name no call",
    "odd_spaced_instruction_mark": 'questions that begin with "### Instruction:"',
    "odd_with_input": 'questions with a part "###Input:"',
    "odd_without_api_call": "lines without a call, which are left out",
    "odd_without_instruction": "lines without an instruction, which are left out",
    "odd_without_instruction_mark": "questions without a mark before the instruction",
    "odd_without_output_mark": "questions without a mark before the output",
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
    """Returns a key with spaces in place of its underscores, for keys without a label in this file."""
    return key.replace("_", " ")
