"""The layout in which FlashRAG (Jin et al. 2024, arXiv 2405.13576) publishes its data sets.

- A question is {id, question, golden_answers, metadata}. In the files that FlashRAG writes, a question also has
  retrieval_result: the retrieved passages, best first (in the row, or in its object `output`).
- A passage is {id, contents}. The first line of `contents` is the title, often in quotation marks.

`named` gives a question the field names of other layouts, so that every corpus reads it.
"""

from collections.abc import Mapping

from raft_exp.corpora.readers.json_records import Row

ANSWERS, RETRIEVED, CONTENTS = "golden_answers", "retrieval_result", "contents"


def is_question(row: Mapping[str, object]) -> bool:
    """Whether a row is a question in this layout."""
    return ANSWERS in row


def named(row: Row) -> Row:
    """Returns a question with the further fields `answers`, `answer` (the first one) and `ctxs` ({id, title, text}).

    `ctxs` is set only if the row has retrieved passages. The fields of `metadata` become fields of the row. In
    HotpotQA's context, `content` also becomes `sentences`. A row of another layout is returned unchanged.
    """
    if not is_question(row):
        return row
    metadata = row.get("metadata")
    lifted = {**(metadata if isinstance(metadata, dict) else {}), **row}
    answers = row[ANSWERS]
    lifted["answers"] = answers
    if isinstance(answers, list) and answers:
        lifted["answer"] = answers[0]
    context = lifted.get("context")
    if isinstance(context, dict) and "content" in context:
        lifted["context"] = {**context, "sentences": context["content"]}
    retrieved = retrieval_result(row)
    if isinstance(retrieved, list):
        lifted["ctxs"] = [_passage(each) for each in retrieved]
    return lifted


def retrieval_result(row: Mapping[str, object]) -> object:
    """Returns the retrieved passages of a row, unchanged; None if the row has none."""
    output = row.get("output")
    return row.get(RETRIEVED, output.get(RETRIEVED) if isinstance(output, dict) else None)


def flat(row: Row) -> Row:
    """Returns a question with retrieval_result in the row itself, and without FlashRAG's object `output`.

    A row of another layout, or without this object, is returned unchanged.
    """
    if not is_question(row) or not isinstance(row.get("output"), dict):
        return row
    flat_row = {name: value for name, value in row.items() if name != "output"}
    retrieved = retrieval_result(row)
    return flat_row if retrieved is None else {**flat_row, RETRIEVED: retrieved}


def title_and_text(contents: str) -> tuple[str, str]:
    """Returns (title, text) of `contents`; the title is without quotation marks, and "" for contents of one line."""
    first, newline, rest = contents.partition("\n")
    if not newline or not rest.strip():
        return "", contents.strip()
    title = first.strip()
    quoted = len(title) > 1 and title.startswith('"') and title.endswith('"')
    return title[1:-1].replace('""', '"') if quoted else title, rest.strip()


def _passage(passage: object) -> object:
    """Returns a passage with title and text; a value that is no object is returned unchanged."""
    if not isinstance(passage, dict) or passage.get("text") is not None or not isinstance(passage.get(CONTENTS), str):
        return passage
    title, text = title_and_text(passage[CONTENTS])
    return {**passage, "title": passage.get("title") or title, "text": text}
