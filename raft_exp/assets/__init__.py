"""What ships with the package: embedded models and a slice of real questions. `asset:NAME` names a part of it."""

from pathlib import Path

ASSET = "asset:"


def path(name: str) -> Path:
    """The file or folder that `asset:NAME` names; it may not exist. Other names are paths, also of the home (~)."""
    if name.startswith(ASSET):
        return Path(__file__).parent / name.removeprefix(ASSET)
    return Path(name).expanduser()
