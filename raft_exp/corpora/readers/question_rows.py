"""Reads a user's file of questions: JSON lines, a JSON array, parquet, CSV, TSV or XLSX.

The fields are the keys of `ALIASES`. A field is read from the column with its name or an alias, or from the column that
`corpus.columns` names. Case, spaces and punctuation in column names make no difference. `retrieved` has passages that a
retriever found for the question, as in FlashRAG's layout. In tables the first row has the column names. A cell with a
JSON list has several answers or passages; any other cell is one text.
"""

import csv
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from raft_exp.core.errors import DataError, suggest
from raft_exp.corpora.readers import flashrag, json_records
from raft_exp.corpora.readers.documents.decoding import decode
from raft_exp.corpora.readers.documents.document import UnreadableError
from raft_exp.corpora.readers.fields import column_setting

ALIASES: Mapping[str, tuple[str, ...]] = {  # field -> other names of it, in order of preference
    "question": ("query", "input", "question_text", "prompt"),
    "answers": (
        "answer",
        "output",
        "golden_answers",
        "gold_answers",
        "expected_answer",
        "reference_answer",
        "ground_truth",
        "reference",
        "response",
    ),
    "document_id": ("document", "source", "file", "filename", "file_name", "doc_id"),
    "id": ("_id", "question_id", "qid"),
    "gold": (),
    "given": (),
    "evidence": (),
    "explanation": (),
    "slices": (),
    "split": (),
    "retrieved": ("retrieval_result",),
}
_LISTS = ("answers", "gold", "given", "evidence", "document_id")  # fields whose cells may be JSON lists
_DELIMITERS = ",;\t|"


class QuestionRows:
    """The rows of a file, with the field names of `ALIASES`.

    `columns`: field -> its column name in the file. Raises DataError for a key that is not a field.
    """

    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self._path, self._columns = path, columns
        self._taken: Counter[tuple[str, str]] = Counter()
        self._notes: list[str] = []
        self._is_json = False
        self.names: list[str] = []  # column names in the file, of the row that `placed` yielded last
        for field in columns:
            if field not in ALIASES:
                raise DataError(
                    f"corpus.columns: got {field!r}, which is not a field of a question; {suggest(field, ALIASES)}"
                )

    def placed(self) -> Iterator[tuple[str, json_records.Row]]:
        """Yields (place, row), with a place such as "line 3" or "row 3". Raises DataError for an unreadable file."""
        self._taken.clear()
        unseen, seen = dict(self._columns), dict[str, None]()
        for place, given in self._read():
            row = flashrag.flat(given)
            self.names = list(row)
            if unseen:
                seen |= dict.fromkeys(row)
                forms = set(map(_form, row))
                unseen = {field: name for field, name in unseen.items() if _form(name) not in forms}
            yield place, self._named(row)
        if self._is_json:  # the reader of tables has compared the columns with the first row
            for field, name in unseen.items():
                raise _without_column(self._path, field, name, list(seen))

    def taken(self) -> str:
        """Returns one line for the user: columns with other names than their fields, and warnings of the decoder.

        Returns "" if there is nothing to report.
        """
        other = [f"{field} from {name!r}" for field, name in self._taken if field != name]
        said = ([f"read {', '.join(other)} (corpus.columns)"] if other else []) + self._notes
        return f"{self._path}: {'; '.join(said)}" if said else ""

    def _read(self) -> Iterator[tuple[str, json_records.Row]]:
        with json_records.open_bytes(self._path) as file:
            start = file.read(4096)
        if start.startswith(b"PK\x03\x04"):
            return _records(_of_sheet(self._path), self._path, self._columns)
        if start.startswith(b"\xd0\xcf\x11\xe0"):
            raise DataError(f"{self._path}: this is an old Excel file (.xls); save it as .xlsx or CSV")
        if start.lstrip().startswith((b"{", b"[", b"PAR1")):
            self._is_json = True
            return json_records.placed(self._path)
        return _records(self._of_text(), self._path, self._columns)

    def _of_text(self) -> list[list[object]]:
        """Returns the rows of CSV or TSV.

        The delimiter is the one for which the first row has the most known columns.
        """
        with json_records.open_bytes(self._path) as file:
            data = file.read()
        try:
            text, self._notes = decode(data)
        except UnreadableError as error:
            raise DataError(f"{self._path}: {error}; save it as CSV in UTF-8, or as JSON lines") from error
        first = text.lstrip("\n").partition("\n")[0]

        def known(delimiter: str) -> tuple[int, int]:
            header = next(csv.reader([first], delimiter=delimiter), [])
            return sum(_field(name, self._columns) is not None for name in header), len(header)

        delimiter = max(_DELIMITERS, key=known)
        before = csv.field_size_limit(sys.maxsize)  # a setting of the whole process
        try:
            return [[*row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)]
        except csv.Error as error:
            raise DataError(
                f"{self._path}: the quotation marks do not match ({error}); double each quotation mark that is inside "
                'a cell ("")'
            ) from error
        finally:
            csv.field_size_limit(before)

    def _named(self, row: json_records.Row) -> json_records.Row:
        """Returns the row with field names. A column with the field's own name has priority over aliases."""
        named: json_records.Row = {}
        by_form = {_form(name): name for name in reversed(row) if row[name] is not None}
        for field in ALIASES:
            name = next((by_form[form] for form in _forms(field, self._columns) if form in by_form), None)
            if name is not None:
                self._taken[field, name] += 1
                named[field] = _answers(row[name]) if field == "answers" else row[name]
        return named


def _answers(value: object) -> object:
    """Returns the answers, a text or a list, without empty texts; [] for one empty text.

    Numbers become texts. From SQuAD's {text, answer_start}, only the texts are used. Other values are not changed.
    """
    if isinstance(value, dict) and "text" in value:
        value = value["text"]
    if isinstance(value, str):
        return value if value.strip() else []
    if isinstance(value, list):
        given = [item for item in value if not isinstance(item, str) or item.strip()]
        return [str(item) if _is_number(item) else item for item in given]
    return str(value) if _is_number(value) else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _form(name: str) -> str:
    """Returns a column's name without case, spaces and punctuation: `Document ID` becomes `documentid`."""
    return re.sub(r"[\W_]+", "", name).casefold()


def _forms(field: str, columns: Mapping[str, str]) -> list[str]:
    """Returns the column names that a field may have, in the form of `_form`.

    This is the name that `columns` gives, else the field's own name and its aliases.
    """
    return [_form(name) for name in ([columns[field]] if field in columns else [field, *ALIASES[field]])]


def _field(name: str, columns: Mapping[str, str]) -> str | None:
    """Returns the field that a column contains; None if it is unknown."""
    return next((field for field in ALIASES if _form(name) in _forms(field, columns)), None)


def _records(
    rows: Sequence[Sequence[object]], path: Path, columns: Mapping[str, str]
) -> Iterator[tuple[str, json_records.Row]]:
    """Yields (place, row) for the rows below the column names. Empty cells are left out of a row.

    Raises DataError if no column has questions.
    """
    header: list[str] = []
    for number, row in enumerate(rows, start=1):
        cells = [_cell(cell) for cell in row]
        if not any(cells):
            continue
        if header:
            values = {name: cell for name, cell in zip(header, cells, strict=False) if name and cell}
            lists = {name for name in values if _field(name, columns) in _LISTS}
            yield f"row {number}", {name: _listed(cell) if name in lists else cell for name, cell in values.items()}
            continue
        header = cells
        for field, name in columns.items():
            if _form(name) not in map(_form, header):
                raise _without_column(path, field, name, [name for name in header if name])
        if not any(_field(name, columns) == "question" for name in header):
            raise DataError(
                f"{path}: no column of questions was found among {', '.join(map(repr, filter(None, header)))}; "
                f"name the column: {column_setting('question')}"
            )


def _without_column(path: Path, field: str, name: str, there: Sequence[str]) -> DataError:
    return DataError(f"corpus.columns.{field}: {path} has no column {name!r}; {suggest(name, there)}")


def _listed(cell: str) -> object:
    """Returns a cell with a JSON list as a list, and any other cell unchanged."""
    if not cell.startswith("["):
        return cell
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _cell(value: object) -> str:
    """Returns a cell as text: an integer without ".0", a boolean as "yes" or "no", a date as 2024-07-26."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).strip()


def _of_sheet(path: Path) -> list[list[object]]:
    """Returns the rows of the first sheet that is not empty. Raises DataError if the file cannot be read."""
    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_path(path)
        sheets = (book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names)
        return next(([[*row] for row in sheet] for sheet in sheets if sheet), [])
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise DataError(f"{path}: this Excel file cannot be read ({error}); save it as CSV in UTF-8") from error
