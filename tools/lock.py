"""Writes requirements/*.txt: all packages of an installation with their versions and the hashes of their files.

    python -m tools.lock        # `make lock`: needs uv, and the package index that pip uses

The versions come from constraints.txt, except those of `lower.txt`. The files are:

- `dev.txt`: all packages of an environment except torch;
- `cuda.txt`: torch from the package index, on Linux with the CUDA packages;
- `cpu.txt`: the file of torch that pip selects on this machine (run this with Python 3.11 on Linux, and with a package
  index of CPU builds);
- `build.txt`: the packages that build wheels;
- `tools.txt`: the packages that this script and `make sbom` need;
- `lower.txt`: for `make test-lower`, on Linux with Python 3.12: the dependencies and those of the extra [qlora] at
  their lower bounds in pyproject.toml, the newest versions of the packages that these need, and pytest.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "requirements"
_OF_TORCH = re.compile("(nvidia|cuda)-|(triton|torch)==")  # torch, and the packages that only its CUDA build needs
_BUILD = (
    "editables",
    "setuptools",
    "wheel",
)  # beside the build backend: editable installs, and packages without wheels
_TOOLS = ("cyclonedx-bom", "uv")
LOWER_EXTRA = "qlora"  # the tests of `make test-lower` need no other one
_LOWER_PYTHON = "3.12"
_LOWER_TESTS = ("hypothesis", "pytest", "pytest-xdist")
_HEADER = "# Made by `make lock` from pyproject.toml and constraints.txt: the hashes of all files of each version.\n"


def main() -> None:
    """Writes the six files of the folder requirements/."""
    FOLDER.mkdir(exist_ok=True)
    backend = _pyproject()["build-system"]["requires"]
    blocks = _compiled(["pyproject.toml", "--extra", "dev"])
    _write("dev", [block for block in blocks if not _OF_TORCH.match(block)])
    _write("cuda", [block for block in blocks if _OF_TORCH.match(block)])
    _write("cpu", [_of_one_file(block) for block in blocks if block.startswith("torch==")])
    _write("build", _compiled(["-"], "\n".join([*backend, *_BUILD])))
    _write("tools", _compiled(["-"], "\n".join(_TOOLS)))
    _write("lower", _lowest())


def oldest_python() -> str:
    """Returns the oldest version of Python that raft_exp and every pinned package support (`requires-python`)."""
    return str(_pyproject()["project"]["requires-python"]).removeprefix(">=")


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _compiled(sources: list[str], stdin: str = "") -> list[str]:
    """Returns one text for each package, for all platforms and Python from the oldest on.

    `sources`: files with requirements, "-" for `stdin`.
    """
    return _resolved(sources, stdin, ["-c", "constraints.txt", "--universal", "--python-version", oldest_python()])


def _lowest() -> list[str]:
    """Returns one text for each package of `lower.txt`."""
    known = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    tests = [line for line in known if line.partition("==")[0] in _LOWER_TESTS]
    options = ["--resolution", "lowest-direct", "--python-platform", "linux", "--python-version", _LOWER_PYTHON]
    return _resolved(["pyproject.toml", "--extra", LOWER_EXTRA, "-"], "\n".join(tests), options)


def _resolved(sources: list[str], stdin: str, options: list[str]) -> list[str]:
    """Returns one text for each package, with its version and the hashes of all its files. `options`: of uv."""
    options = [*options, "--generate-hashes", "--no-python-downloads"]
    command = [sys.executable, "-m", "uv", "pip", "compile", *sources, *options, "--no-header", "--no-annotate", "-q"]
    text = subprocess.run(command, cwd=ROOT, input=stdin, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [f"{block.strip()}\n" for block in re.split(r"\n(?=\S)", text) if block.strip()]


def _of_one_file(block: str) -> str:
    """Returns a package with the hash of the file that pip selects on this machine. `block`: a text of `_compiled`."""
    pinned = block.split(maxsplit=1)[0]
    options = ["--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", "-"]
    command = [sys.executable, "-m", "pip", "install", *options, pinned]
    report = json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    digest = report["install"][0]["download_info"]["archive_info"]["hashes"]["sha256"]
    return f"{pinned} \\\n    --hash=sha256:{digest}\n"


def _write(name: str, blocks: list[str]) -> None:
    (FOLDER / f"{name}.txt").write_text(_HEADER + "".join(blocks), encoding="utf-8")


if __name__ == "__main__":
    main()
