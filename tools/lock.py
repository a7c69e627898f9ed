"""Writes requirements/*.txt: every package of an installation at one version, with the hashes of all its files.

    python -m tools.lock        # `make lock`: needs uv, and the package index that pip uses

The versions are those of constraints.txt. An environment is `dev.txt` with one build of torch: `cuda.txt` is the build
of the package index, on Linux with the packages of CUDA; `cpu.txt` is the one file that pip takes here (so run
it with Python 3.11 on Linux, with an index of CPU builds). `build.txt` holds what builds wheels, `tools.txt` the tools
of this script and of `make sbom`.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "requirements"
PYTHON = "3.11.5"  # the oldest Python that every pinned package supports
_OF_TORCH = re.compile("(nvidia|cuda)-|(triton|torch)==")  # torch itself, and what its CUDA build alone needs
_BUILD = (
    "editables",
    "setuptools",
    "wheel",
)  # beside the build backend: editable installs, and packages without wheels
_TOOLS = ("cyclonedx-bom", "uv")
_HEADER = "# Made by `make lock` from pyproject.toml and constraints.txt: the hashes of all files of each version.\n"


def main() -> None:
    """Writes the five files."""
    FOLDER.mkdir(exist_ok=True)
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    blocks = _compiled(["pyproject.toml", "--extra", "dev"])
    _write("dev", [block for block in blocks if not _OF_TORCH.match(block)])
    _write("cuda", [block for block in blocks if _OF_TORCH.match(block)])
    _write("cpu", [_of_one_file(block) for block in blocks if block.startswith("torch==")])
    _write("build", _compiled(["-"], "\n".join([*backend, *_BUILD])))
    _write("tools", _compiled(["-"], "\n".join(_TOOLS)))


def _compiled(sources: list[str], stdin: str = "") -> list[str]:
    """The pinned packages with their hashes, a text each, for every platform and every Python from `PYTHON` on."""
    options = ["-c", "constraints.txt", "--generate-hashes", "--universal", "--python-version", PYTHON]
    command = [sys.executable, "-m", "uv", "pip", "compile", *sources, *options, "--no-header", "--no-annotate", "-q"]
    text = subprocess.run(command, cwd=ROOT, input=stdin, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [f"{block.strip()}\n" for block in re.split(r"\n(?=\S)", text) if block.strip()]


def _of_one_file(block: str) -> str:
    """A package with the hash of the one file that pip takes for it on this machine."""
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
