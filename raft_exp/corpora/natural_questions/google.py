"""Reads Google's records in their three layouts.

- Simplified (v1.0-simplified): document_text; offsets count its words.
- Original: document_tokens, a list of {token, html_token}.
- Hub: document{title, tokens{token[], is_html[]}}; lists of records are stored as columns.
"""

import html
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from raft_exp.core.errors import DataError
from raft_exp.corpora.natural_questions.pages import Annotation, Page, Span, Tokens
from raft_exp.corpora.natural_questions.words import is_tag
from raft_exp.corpora.readers import json_records
from raft_exp.corpora.readers.fields import Fields

_COLUMNS = (
    "id",
    "question.text",
    "document.title",
    "document.tokens.token",
    "document.tokens.is_html",
    "long_answer_candidates",
    "annotations",
)
_YES_NO: dict[object, str] = {
    0: "no",
    1: "yes",
    "NO": "no",
    "YES": "yes",
}  # the hub stores a class label; any other value means that the answer is neither yes nor no


def rows(path: Path) -> Iterator[tuple[str, json_records.Row]]:
    """Yields (place, row) for the rows of a file. Raises DataError for a broken file.

    Of a parquet file with pages, only the columns `_COLUMNS` are read, 16 rows at once.
    """
    if json_records.layout(path) != "parquet":
        yield from json_records.placed(path)
        return
    import pyarrow
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            columns = list(_COLUMNS) if "document" in file.schema_arrow.names else None
            for batch in file.iter_batches(batch_size=16, columns=columns):
                for row in batch.to_pylist():
                    number += 1
                    yield f"record {number}", row
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: broken after record {number} ({reason}); fetch the file again") from error


def is_page(row: json_records.Row) -> bool:
    """Whether a row is a page, in any of the three layouts."""
    return bool(row.keys() & {"document_text", "document_tokens", "document"})


def page(fields: Fields) -> Page:
    """Parses a record. Raises DataError with file, place, field and remedy."""
    document, question = (Fields(fields.where, fields.get(name, dict) or {}) for name in ("document", "question"))
    tokens = _tokens(fields, document)
    candidates = _records(fields, "long_answer_candidates")
    top_level = [_span(each, tokens) for each in candidates if each.flag("top_level")]
    return Page(
        id=fields.text("example_id") or fields.needed("id"),
        question=question.text("text") or fields.needed("question_text"),
        title=document.text("title") or fields.text("document_title") or _title(fields.text("document_url") or ""),
        tokens=tokens,
        candidates=[span for span in top_level if span],
        annotations=[_annotation(each, tokens) for each in _records(fields, "annotations")],
    )


def _tokens(fields: Fields, document: Fields) -> Tokens:
    text = fields.get("document_text", str)
    if text is not None:
        words = text.split(" ")
        return Tokens(words, [is_tag(word) for word in words])
    columns = document.get("tokens", dict) or {}
    pairs = list(zip(columns.get("token") or [], columns.get("is_html") or [], strict=False))
    for token in fields.get("document_tokens", list) or []:  # about 10,000 a page: no `Fields` for each
        pairs.append((token.get("token"), token.get("html_token")) if isinstance(token, dict) else (None, None))
    if not pairs:
        raise fields.error("document_text", "is missing, and document_tokens too", "give the published data file")
    return Tokens([str(word or "") for word, _ in pairs], [bool(tag) for _, tag in pairs])


def _annotation(fields: Fields, tokens: Tokens) -> Annotation:
    long = fields.get("long_answer", dict)
    if long is None:
        raise fields.error("long_answer", "is missing", "give the published data file")
    shorts = [_span(each, tokens) for each in _records(fields, "short_answers")]
    yes_no = fields.get("yes_no_answer", str, int)
    return Annotation(
        _span(Fields(f"{fields.where}, long_answer", long), tokens),
        [span for span in shorts if span],
        _YES_NO.get(yes_no, ""),
    )


def _span(fields: Fields, tokens: Tokens) -> Span | None:
    """Returns the token span of a record; None for an empty span, or if the annotator chose none (offsets of -1)."""
    start, end = fields.get("start_token", int), fields.get("end_token", int)
    if start is None or end is None:
        raise fields.error("start_token", "or end_token is missing", "give the published data file")
    if 0 <= start < end <= len(tokens.words):
        return Span(start, end)
    if start < 0 or start == end:
        return None
    what = f"is {end}, but start_token is {start} and the page has {len(tokens.words)} tokens"
    raise fields.error("end_token", what, "fetch the file again")


def _records(fields: Fields, name: str) -> list[Fields]:
    """Returns the records of a list field. The hub stores the list as columns."""
    value = fields.get(name, list, dict)
    if isinstance(value, dict):
        columns = {key: column for key, column in value.items() if isinstance(column, list)}
        if len({len(column) for column in columns.values()}) > 1:
            raise fields.error(name, "has columns of several lengths", "give the published data file")
        value = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if not all(isinstance(each, dict) for each in value or []):
        raise fields.error(name, f"is {value!r:.60}", "give the published data file")
    return [Fields(f"{fields.where}, {name} {number}", each) for number, each in enumerate(value or [], start=1)]


def _title(url: str) -> str:
    """Returns the title of an article from its URL, because the simplified data has no other title."""
    titles = parse_qs(urlsplit(html.unescape(url)).query).get("title", [""])
    return titles[0].replace("_", " ")
