"""Labels of people for the replies that a judge judged: a CSV file, in all forms that spreadsheet programs write."""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from raft_exp.core.errors import DataError, suggest

COLUMNS = ("label_id", "task", "label")  # the columns that are read; the others are for people
SETTING = "evaluation.labels"
_SEPARATORS = ",;\t|"
_YES = {"yes", "y", "true", "t", "right", "correct", "ja", "wahr", "oui", "vrai", "si", "s\u00ed", "verdadero", "vero"}
_NO = {"no", "n", "false", "f", "wrong", "incorrect", "nein", "falsch", "non", "faux", "falso"}
_AGAIN = "in the spreadsheet, save it as CSV"


@dataclass(frozen=True)
class Label:
    """A person's label of a reply in one task."""

    reply: str  # the label_id
    task: str
    value: float  # 1 right, 0 wrong; of a task with claims the share of supported ones
    line: int  # of the file


def label_id(arm: str, question: str, raw: str) -> str:
    """Returns the name of a reply in a sheet: a hash, which hides the arm. `raw`: the whole reply.

    A reply that differs after another training has another name, so labels of the earlier reply do not fit it. The
    first character is a letter, because spreadsheet programs change texts that look like numbers.
    """
    text = "\x00".join((arm, question, raw)).encode("utf-8", "surrogatepass")
    return f"L{hashlib.sha256(text).hexdigest()[:12]}"


def read_labels(path: Path, tasks: Mapping[str, bool]) -> list[Label]:
    """Returns the labels of a file; rows with an empty label are left out.

    `tasks`: task of the judge -> whether its values are shares of claims. Raises DataError, which names file and line,
    for a file that is not CSV or lacks a column, an unknown task, an unusable label, a label without a label_id, and
    two labels that contradict each other.
    """
    found: dict[tuple[str, str], Label] = {}
    for line, reply, task, text in _rows(path):
        if not text:
            continue
        place = f"{path}, line {line}"
        if not reply:
            raise DataError(f"{place}: label_id is empty; copy it from the sheet, or remove the row")
        if task not in tasks:
            raise DataError(f"{place}: task: got {task!r}; {suggest(task, tasks)}")
        label = Label(reply, task, _value(text, tasks[task], place), line)
        other = found.setdefault((reply, task), label)
        if other.value != label.value:
            raise DataError(
                f"{place}: label: got {text!r} for {reply} ({task}), but line {other.line} has another label for it; "
                "keep one of the two rows"
            )
    return list(found.values())


def usable_labels(path: Path, tasks: Mapping[str, bool]) -> list[Label]:
    """Returns the labels of a file. Raises DataError for a file without a label, and the errors of `read_labels`."""
    labels = read_labels(path, tasks)
    if not labels:
        raise DataError(f"{path}: no row has a label; fill in the column label, or remove {SETTING}")
    return labels


def _value(text: str, of_claims: bool, place: str) -> float:
    word = text.casefold()
    if word in _YES or word in _NO:
        return float(word in _YES)
    number = _number(word)
    if number is not None and (number in (0, 1) or (of_claims and 0 < number < 1)):
        return number
    valid = "write the share of supported claims, from 0 to 1, or yes or no" if of_claims else "write yes or no"
    raise DataError(f"{place}: label: got {text!r}; {valid}, or leave it empty")


def _number(text: str) -> float | None:
    """Parses 0.5, 0,5 and 50%; returns None for another text."""
    share = text.removesuffix("%").strip().replace(",", ".")
    try:
        return float(share) / (100 if text.endswith("%") else 1)
    except ValueError:
        return None


def _rows(path: Path) -> Iterator[tuple[int, str, str, str]]:
    """Yields line, label_id, task and label of each row that is not empty."""
    text = _text(path)
    lines = text.splitlines(keepends=True)
    first = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    named = lines[first].strip() if first < len(lines) else ""
    if marked := named.casefold().startswith("sep="):  # a line that Excel reads and writes
        first += 1
    header = lines[first] if first < len(lines) else ""
    separator = named[4:5] if marked else max(_SEPARATORS, key=header.count)
    reader = csv.reader(io.StringIO("".join(lines[first:]), newline=""), delimiter=separator or ",", strict=True)
    line = first + 1  # where a row begins
    try:
        names = [name.strip().casefold() for name in next(reader, [])]
        if absent := [name for name in COLUMNS if name not in names]:
            raise DataError(
                f"{path}, line {line}: no column {', '.join(absent)}; the columns label_id, task and label of the "
                f"sheet must stay; make the sheet again with python -m raft_exp.label RUN, or {_AGAIN}"
            )
        places = [names.index(name) for name in COLUMNS]
        line = first + reader.line_num + 1
        for row in reader:
            cells = [_cell(row[place]) if place < len(row) else "" for place in places]
            if any(cells):
                yield line, cells[0], cells[1], cells[2]
            line = first + reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {line}: not CSV ({error}); {_AGAIN}") from error


def _cell(text: str) -> str:
    """Returns the text of a cell without white space, and without the apostrophe that marks a text in spreadsheets."""
    return text.strip().removeprefix("'").strip()


def _text(path: Path) -> str:
    """Returns the content of a CSV file in UTF-8, in UTF-16 or in the old encoding of spreadsheet programs."""
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{SETTING}: got {str(path)!r}, which cannot be read ({reason}); name a CSV file") from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    if b"\0" in content or content.startswith(b"PK"):
        raise DataError(f"{path}: not a CSV file; {_AGAIN}")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")  # may damage texts for people; the columns that are read are ASCII
