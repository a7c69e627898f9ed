"""An environment that holds raft_exp with some of its extras: the packages of this one, as links."""

import sys
import sysconfig
import tomllib
import venv
from collections import Counter
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


@cache
def _project() -> dict[str, Any]:
    """The table `project` of pyproject.toml."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def extras() -> list[str]:
    """The extras of pyproject.toml."""
    return list(_project()["optional-dependencies"])


def make(folder: Path, extras: Iterable[str] = ()) -> Path:
    """Makes the environment in `folder` and returns its Python. Packages that this one lacks are left out."""
    venv.create(folder, symlinks=True)
    site = folder / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    (site / "raft_exp.pth").write_text(f"{ROOT}\n")
    for name in _needed(set(extras)):
        one = metadata.distribution(name)
        for top in _top(name):
            if name != "raft-exp" or top.endswith(".dist-info"):
                _link(one, top, site, shared=_owners()[top] > 1)
    return folder / "bin" / "python"


@cache
def _owners() -> Counter[str]:
    """The number of packages that have files in a folder."""
    return Counter(top for one in metadata.distributions() for top in _top(canonicalize_name(one.name)))


def _needed(extras: set[str]) -> set[str]:
    """All packages that raft_exp with these extras needs, and their own needs, where they are installed."""
    optional = _project()["optional-dependencies"]
    waiting = _wanted([*_project()["dependencies"], *(line for extra in extras for line in optional[extra])], ())
    needed, seen = {"raft-exp"}, set[tuple[str, frozenset[str]]]()
    while waiting:
        name, chosen = waiting.pop()
        if (name, chosen) in seen:
            continue
        seen.add((name, chosen))
        try:
            waiting += _wanted(metadata.requires(name) or [], chosen)
        except metadata.PackageNotFoundError:
            continue
        needed.add(name)
    return needed


def _wanted(lines: Iterable[str], extras: Iterable[str]) -> list[tuple[str, frozenset[str]]]:
    """The packages of requirements that hold here with some extras, each with its own extras."""
    found = map(Requirement, lines)
    holding = (one for one in found if one.marker is None or any(_holds(one.marker, extra) for extra in ("", *extras)))
    return [(canonicalize_name(one.name), frozenset(one.extras)) for one in holding]


def _holds(marker: Marker, extra: str) -> bool:
    return marker.evaluate({"extra": extra})


@cache
def _top(name: str) -> set[str]:
    """The files and folders of a package beside those of others."""
    parts = {file.parts[0] for file in metadata.distribution(name).files or []}
    return {part for part in parts if part != ".." and not part.endswith(".pth") and part != "__pycache__"}


def _link(one: metadata.Distribution, top: str, site: Path, shared: bool) -> None:
    """Links a folder into `site`; of a folder that several packages share, only what is in this one."""
    names = {Path(top)}
    if shared:
        inside = (file.parts for file in one.files or [] if file.parts[0] == top)
        names = {Path(*parts[:2]) for parts in inside if "__pycache__" not in parts[:2]}
    for name in names:
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        if not (site / name).exists():
            (site / name).symlink_to(str(one.locate_file(name)))
