"""Damages in every file of a finished study's store: each must be noticed before the file is used."""

import contextlib
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from raft_exp.core.errors import StoreError
from raft_exp.pipeline.manifest import check, read_manifest
from tests.campaign.table import Row
from tests.helpers.command_line import SMALL, environment, raft_exp, run_folder

PLACES = 3  # of each kind of damage in each file
USED = ("evaluate/*/answers.jsonl", "dataset/*/rows.jsonl", "report/*/results.json", "targets/*/targets.jsonl")
Damage = Callable[[bytes, int], bytes | None]  # content and a place in it -> the damaged content, None for no file
KINDS: dict[str, Damage] = {
    "one bit turned": lambda content, at: content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :],
    "one letter changed": lambda content, at: content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :],
    "cut": lambda content, at: content[:at],
    "a byte inserted": lambda content, at: content[:at] + b"7" + content[at:],
    "the rest set to zero": lambda content, at: content[:at] + bytes(len(content) - at),
    "two parts exchanged": lambda content, at: content[at:] + content[:at],
    "removed": lambda content, at: None,
}


def run(folder: Path, seed: int) -> Iterator[Row]:
    """Damages each file of a small study's store, one at a time; then some through the command line."""
    made = raft_exp(folder, *SMALL)
    if made.returncode:
        raise RuntimeError(f"the study did not end: {made.stderr[-2000:]}")
    store, generator = folder / "store", random.Random(seed)
    results = sorted(path.parent for path in store.glob("*/*/manifest.json"))
    for kind, change in KINDS.items():
        row = Row(f"{kind}, in each file of each result", "the result is refused, the file is named")
        for result in results:
            for file in sorted(path for path in result.rglob("*") if path.is_file()):
                for _ in range(PLACES):
                    _try(result, file, row, change, generator)
        yield row
    yield _another_manifest(results)
    yield _through_the_command(folder, generator)


def _try(result: Path, file: Path, row: Row, change: Damage, generator: random.Random) -> None:
    content = file.read_bytes()
    damaged = change(content, generator.randrange(max(1, len(content)))) if content else b"x"
    if damaged == content or _same_manifest(file, content, damaged):
        return  # nothing was changed
    with _changed(file, damaged):
        row.add(f"{row.kind} ({result.parent.name}/{file.relative_to(result)})", _problem(result))


def _same_manifest(file: Path, content: bytes, damaged: bytes | None) -> bool:
    """Whether only blanks between two fields of a manifest differ."""
    if file.name != "manifest.json" or damaged is None:
        return False
    try:
        return bool(json.loads(content) == json.loads(damaged))
    except ValueError:
        return False


@contextlib.contextmanager
def _changed(file: Path, content: bytes | None) -> Iterator[None]:
    """The file has other content, or is gone, while the block lasts. Its time of change stays that of the original."""
    aside = file.parents[4] / "aside"
    shutil.copy2(file, aside)
    file.unlink()
    try:
        if content is not None:
            file.write_bytes(content)
        yield
    finally:
        shutil.copy2(aside, file)


def _problem(result: Path) -> str:
    """ "" where the result is refused in one line, or is no result as its manifest is gone."""
    store = result.parents[1]
    try:
        if not (result / "manifest.json").exists():
            return "" if read_manifest(result, result.parent.name, store) is None else "used without a manifest"
        check(result, result.parent.name, store)
    except StoreError as error:
        return "more than one line" if "\n" in str(error) else ""
    return "not noticed"


def _another_manifest(results: list[Path]) -> Row:
    row = Row("the manifest of another result put in its place", "the result is refused")
    for result, other in zip(results, results[1:] + results[:1], strict=True):
        with _changed(result / "manifest.json", (other / "manifest.json").read_bytes()):
            row.add(result.parent.name, _problem(result))
    return row


def _through_the_command(folder: Path, generator: random.Random) -> Row:
    row = Row(
        "one letter changed before the next command",
        "one line, status 2; after `store repair` the same command ends in the same figures",
    )
    wanted = _figures(folder)
    for name in USED:
        file = sorted((folder / "store").glob(name))[0]
        content = bytearray(file.read_bytes())
        content[generator.randrange(len(content))] ^= 1
        file.write_bytes(content)
        refused = raft_exp(folder, *SMALL)
        said = refused.stderr.splitlines()[-1]
        if (refused.returncode, "is damaged" in said) != (2, True):
            row.add(name, f"status {refused.returncode}: {said}")
            continue
        repair = [sys.executable, "-m", "raft_exp.store", "repair", "store=store", "yes=true"]
        subprocess.run(repair, cwd=folder, env=environment(), check=True, capture_output=True)
        again = raft_exp(folder, *SMALL)
        mended = again.returncode == 0 and _figures(folder) == wanted
        row.add(name, "" if mended else f"not mended: {again.stderr[-200:]}")
    return row


def _figures(folder: Path) -> object:
    return json.loads((run_folder(folder) / "results.json").read_text(encoding="utf-8"))["arms"]
