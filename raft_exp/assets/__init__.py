"""Files that ship with the package. `asset:NAME` names one of them.

They are embedded models, a sample of real questions, a list of PubMed ids, and general_text.txt: a text that was
written for this project.
"""

from pathlib import Path

ASSET = "asset:"


def path(name: str) -> Path:
    """Returns the path of a shipped file if `name` is `asset:NAME`; else returns `name` as a path, with ~ expanded.

    The file need not exist.
    """
    if name.startswith(ASSET):
        return Path(__file__).parent / name.removeprefix(ASSET)
    return Path(name).expanduser()
