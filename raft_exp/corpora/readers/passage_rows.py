"""Reads passages from a file, in the form that `export.passages=true` writes.

The file is JSON lines, an array (both may be gzipped) or parquet of {id, text, document_id, title, place, sentences,
source}. Only `id` and `text` are required. FlashRAG's `contents` may replace `text`: the title, a line break, the
text. Then passages with the same title form a document, unless `document_id` is set.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from raft_exp.core.records import Passage
from raft_exp.corpora.readers import flashrag, json_records
from raft_exp.corpora.readers.fields import Fields
from raft_exp.corpora.readers.spans import Span
from raft_exp.corpora.sentences import split_sentences

Split = Callable[[str], list[str]]
Holds = Callable[[int], bool]


def read(
    path: Path, split: Split = split_sentences, holds: Holds = lambda number: True, span: Span | None = None
) -> Iterator[Passage]:
    """Yields the passages in file order. Raises DataError with file, place, field and remedy.

    `split`: a function that splits a text into sentences. `holds`: a function of the number of a passage (from 0) that
    returns whether the passage is yielded. `span`: see `json_records.placed`.
    """
    for number, (place, row) in enumerate(json_records.placed(path, span=span)):
        if holds(number):
            yield _passage(Fields(f"{path}, {place}", row), path.name, split)


def _passage(fields: Fields, file: str, split: Split) -> Passage:
    name, title = fields.needed("id"), fields.text("title") or ""
    contents = fields.text(flashrag.CONTENTS) if fields.get("text", str, int) is None else None
    document = name
    if contents and contents.strip():
        own_title, text = flashrag.title_and_text(contents)
        title = title or own_title
        document = title or name
    else:
        text = fields.needed("text")
    sentences = fields.texts("sentences") or split(text)
    if "".join(sentences) != text:
        raise fields.error(
            "sentences", "does not equal the text when joined", "correct the sentences, or leave them out"
        )
    return Passage(
        id=name,
        document_id=fields.text("document_id") or document,
        title=title,
        text=text,
        place=fields.text("place") or "",
        sentences=sentences,
        source=fields.text("source") or file,
    )
