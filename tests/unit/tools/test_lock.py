"""The locked packages: every one at the version of constraints.txt, with hashes, and from no index in particular.

Those of `lower.txt` stand at the lower bounds of pyproject.toml instead.
"""

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tools import lock

ROOT = Path(__file__).parents[3]
FILES = ("dev", "cuda", "cpu", "build", "tools", "lower")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> dict[str, str]:
    return {normal(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE)}


def locked(name: str) -> str:
    return (lock.FOLDER / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FILES)
def test_each_package_has_hashes_and_no_place(name):
    text = locked(name)
    assert "://" not in text
    assert not re.search(r"^\s*--(?!hash=sha256:[0-9a-f]{64}( \\)?$)", text, re.MULTILINE)
    blocks = [block for block in re.split(r"\n(?=\S)", text) if not block.startswith("#")]
    assert blocks
    assert all(re.match(r"[\w.-]+==[^\s;]+", block) and "--hash=sha256:" in block for block in blocks)


def test_the_versions_are_those_that_were_tried_together():
    known = pins((ROOT / "constraints.txt").read_text(encoding="utf-8"))
    for name in ("dev", "cuda", "cpu", "build"):
        for package, version in pins(locked(name)).items():
            assert known.get(package, version) == version, f"{package}: make lock"


def test_all_dependencies_of_development_are_locked():
    extras = PYPROJECT["project"]["optional-dependencies"]
    named = [*PYPROJECT["project"]["dependencies"], *extras["dev"]]
    named += [requirement for extra in re.split(r"[\[\],]", extras["dev"][0])[1:-1] for requirement in extras[extra]]
    wanted = {normal(re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0]) for requirement in named} - {"raft-exp"}
    assert wanted <= set(pins(locked("dev"))) | {"torch"}
    assert pins(locked("cpu")).keys() == {"torch"}
    assert pins(locked("cuda"))["torch"] == pins(locked("cpu"))["torch"]


def test_the_lowest_versions_are_the_bounds_that_are_declared():
    project, versions = PYPROJECT["project"], pins(locked("lower"))
    wanted = [*project["dependencies"], *project["optional-dependencies"][lock.LOWER_EXTRA]]
    for one in map(Requirement, wanted):
        (bound,) = [part.version for part in one.specifier if part.operator == ">="]
        found = versions[normal(one.name)]
        assert Version(found) == Version(bound), f"{one.name}: make lock, or declare >={found} if no lower one is left"


def test_the_oldest_python_has_every_pinned_package():
    oldest = lock.oldest_python()
    installed = {normal(found.metadata["Name"]): found.metadata["Requires-Python"] for found in distributions()}
    wanted = {name: installed[name] for name in pins(locked("dev")) if installed.get(name)}
    assert [name for name, needed in wanted.items() if not SpecifierSet(needed).contains(oldest)] == []
    assert len(wanted) > 100
    checked = f"v >= ({oldest.replace('.', ', ')})"
    assert checked in (ROOT / "Makefile").read_text(encoding="utf-8"), "the Makefile refuses an older one plainly"


def test_what_builds_the_wheel_is_pinned():
    (backend,) = PYPROJECT["build-system"]["requires"]
    assert pins(backend) == {"hatchling": pins(locked("build"))["hatchling"]}


def test_a_package_of_one_file_has_one_hash():
    assert locked("cpu").count("--hash") == 1
    assert locked("cuda").count("torch==") == 1
