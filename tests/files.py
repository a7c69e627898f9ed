"""Writes the files that users bring."""

import json
from pathlib import Path
from typing import Any


def lines(path: Path, *rows: Any) -> Path:
    """JSON lines; a text is written as it is."""
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path
