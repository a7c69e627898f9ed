"""Writes requirements/*.txt: all packages of an installation with their versions and the hashes of their files.

    python -m tools.lock        # `make lock`: needs uv, and the package index that pip uses

The versions come from constraints.txt. The files are:

- `dev.txt`: all packages of an environment except torch;
- `cuda.txt`: torch from the package index, on Linux with the CUDA packages;
- `cpu.txt`: the file of torch that pip selects on this machine (run this with Python 3.11 on Linux, and with a package
  index of CPU builds);
- `build.txt`: the packages that build wheels;
- `tools.txt`: the packages that this script and `make sbom` need.
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
_HEADER = "# Made by `make lock` from pyproject.toml and constraints.txt: the hashes of all files of each version.\n"


def main() -> None:
    """Writes the five files of the folder requirements/."""
    FOLDER.mkdir(exist_ok=True)
    backend = _pyproject()["build-system"]["requires"]
    blocks = _compiled(["pyproject.toml", "--extra", "dev"])
    _write("dev", [block for block in blocks if not _OF_TORCH.match(block)])
    _write("cuda", [block for block in blocks if _OF_TORCH.match(block)])
    _write("cpu", [_of_one_file(block) for block in blocks if block.startswith("torch==")])
    _write("build", _compiled(["-"], "\n".join([*backend, *_BUILD])))
    _write("tools", _compiled(["-"], "\n".join(_TOOLS)))


def oldest_python() -> str:
    """Returns the oldest version of Python that raft_exp and every pinned package support (`requires-python`)."""
    return str(_pyproject()["project"]["requires-python"]).removeprefix(">=")


def _pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _compiled(sources: list[str], stdin: str = "") -> list[str]:
    """Returns one text for each package, with its version and hashes, for all platforms and Python from the oldest on.

    `sources`: files with requirements, "-" for `stdin`.
    """
    options = ["-c", "constraints.txt", "--generate-hashes", "--universal", "--python-version", oldest_python()]
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
