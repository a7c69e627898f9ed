"""Writes the files that users bring."""

import json
from pathlib import Path
from typing import Any


def lines(path: Path, *rows: Any) -> Path:
    """JSON lines; a text is written as it is."""
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def json_file(folder: Path, records: Any, name: str) -> Path:
    """One JSON file; a text is written as it is."""
    path = folder / name
    path.write_text(records if isinstance(records, str) else json.dumps(records), encoding="utf-8")
    return path


def changed(fields: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A record with changes; a field that is to be "left out" is."""
    return {name: value for name, value in {**fields, **changes}.items() if value != "left out"}
