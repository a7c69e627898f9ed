"""Writes input files of users."""

import json
from pathlib import Path
from typing import Any


def lines(path: Path, *rows: Any) -> Path:
    """Writes JSON lines; a row of type str is written unchanged."""
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def json_file(folder: Path, records: Any, name: str) -> Path:
    """Writes one JSON file; a value of type str is written unchanged."""
    path = folder / name
    path.write_text(records if isinstance(records, str) else json.dumps(records), encoding="utf-8")
    return path


def changed(fields: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Returns a record with changes; the value "left out" removes a field."""
    return {name: value for name, value in {**fields, **changes}.items() if value != "left out"}
