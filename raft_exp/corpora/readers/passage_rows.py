"""Reads passages from a file, in the form that `export.passages=true` writes.

The file is JSON lines, an array or parquet (gzipped or not) of {id, text, document_id, title, place, sentences,
source}. Only `id` and `text` are required.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from raft_exp.core.records import Passage
from raft_exp.corpora.readers import json_records
from raft_exp.corpora.readers.fields import Fields
from raft_exp.corpora.sentences import split_sentences

Split = Callable[[str], list[str]]


def read(path: Path, split: Split = split_sentences) -> Iterator[Passage]:
    """Yields the passages in file order. Raises DataError with file, line, field and remedy.

    `split`: splits a text into sentences.
    """
    for place, row in json_records.placed(path):
        yield _passage(Fields(f"{path}, {place}", row), path.name, split)


def _passage(fields: Fields, file: str, split: Split) -> Passage:
    name, text = fields.needed("id"), fields.needed("text")
    sentences = fields.texts("sentences") or split(text)
    if "".join(sentences) != text:
        raise fields.error("sentences", "does not join to the text", "correct it, or leave it out")
    return Passage(
        id=name,
        document_id=fields.text("document_id") or name,
        title=fields.text("title") or "",
        text=text,
        place=fields.text("place") or "",
        sentences=sentences,
        source=fields.text("source") or file,
    )
