"""Folders of damaged, misnamed and odd files: each is read or named, and the good ones beside it are read."""

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from raft_exp.core.errors import DataError
from raft_exp.corpora import open_corpus
from raft_exp.corpora.documents import Documents
from raft_exp.pipeline.parsing import parse
from tests.campaign.table import Row
from tests.helpers import company
from tests.helpers.composing import compose

Change = Callable[[bytes, random.Random], bytes]


def _turned(data: bytes, generator: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(20):
        changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
    return bytes(changed)


def _repeated(data: bytes, generator: random.Random) -> bytes:
    start, end = sorted(generator.randrange(len(data)) for _ in range(2))
    return data[:end] + data[start:end] * 200 + data[end:]


CHANGES: dict[str, Change] = {
    "20 bits turned": _turned,
    "cut": lambda data, generator: data[: generator.randrange(len(data))],
    "the head cut off": lambda data, generator: data[generator.randrange(1, len(data)) :],
    "a part repeated 200 times": _repeated,
    "1,000 random bytes in the middle": lambda data, generator: (
        data[: len(data) // 2] + generator.randbytes(1000) + data[len(data) // 2 :]
    ),
    "the bytes set to zero": lambda data, _: bytes(len(data)),
}
NAMES = (
    "a b.txt", "ä ö.txt", "\u202ename.txt", "new\nline.txt", "-rf.txt",
    "'quoted\".txt", "%s{0}${x}.txt", "名前.txt", "a" * 240 + ".txt",
    "CON.txt", ".hidden.txt", "no suffix", "two.dots.txt", "UPPER.TXT", "emoji\U0001f600.txt", "tab\there.txt",
)  # fmt: skip
LIMITS = ("corpus.limits.seconds=20", "corpus.limits.memory_mb=1024")


def run(folder: Path, seed: int) -> Iterator[Row]:
    """Reads one folder for each kind of damage, in which a good file stands beside each damaged one."""
    generator = random.Random(seed)
    for kind, change in CHANGES.items():
        own = folder / f"own-{len(list(folder.iterdir()))}"
        company.make(own)
        damaged = {f"x-{path.name}": change(path.read_bytes(), generator) for path in sorted(own.iterdir())}
        yield _read(folder, own, damaged, Row(f"{kind}, in 30 files of 17 formats", EXPECTED))
    own = folder / "misnamed"
    company.make(own)
    kinds = sorted({path.suffix for path in own.iterdir()})
    misnamed = {f"x-{path.stem}{generator.choice(kinds)}": path.read_bytes() + b" " for path in sorted(own.iterdir())}
    yield _read(folder, own, misnamed, Row("the suffix of another format, on 30 files", EXPECTED))
    yield _names(folder)
    yield _no_files(folder)


EXPECTED = "read, or named with its reason; every whole file beside it is read with the same passages"


def _texts(folder: Path, own: Path) -> tuple[dict[str, list[str]], dict[str, dict[str, str]], list[str]]:
    """Passages by document, the files that were not read, and the documents of the report."""
    corpus = open_corpus(
        parse(compose("corpus=documents", f"corpus.path={own}", f"store={folder / 'store'}", *LIMITS)).corpus
    )
    assert isinstance(corpus, Documents)
    found: dict[str, list[str]] = {}
    for passage in corpus.passages():
        found.setdefault(passage.document_id, []).append(passage.text)
    assert corpus.report
    return found, corpus.report.bad, list(corpus.report.documents)


def _read(folder: Path, own: Path, odd: dict[str, bytes], row: Row) -> Row:
    wanted, bad, _ = _texts(folder, own)
    if bad:
        raise RuntimeError(f"the whole files are not read: {bad}")
    for name, data in odd.items():
        (own / name).write_bytes(data)
    try:
        found, bad, documents = _texts(folder, own)
    except Exception as error:  # what ends the reading of a folder is what the campaign looks for
        row.add(row.kind, f"{type(error).__name__}: {error}")
        return row
    for name in odd:
        told = name in bad or name in documents
        row.add(name, "" if told else "neither read nor named")
    for name in sorted(wanted):
        lost = Counter(wanted[name]) - Counter(found.get(name, []))
        row.add(name, f"{len(lost)} passages of a whole file were lost" if lost else "")
    return row


def _names(folder: Path) -> Row:
    row = Row("odd names: blanks, quotes, signs of other scripts, control characters, 240 letters", "the file is read")
    own = folder / "names"
    own.mkdir()
    for number, name in enumerate(NAMES):
        (own / name).write_text(f"Town number {number} has {number + 3} mills.\n", encoding="utf-8")
    found, bad, _ = _texts(folder, own)
    passed_over = {".hidden.txt", "no suffix"}  # hidden files are not read; a file without a suffix is named
    for number, name in enumerate(NAMES):
        texts = [text for texts in found.values() for text in texts]
        read = any(f"Town number {number} has" in text for text in texts)
        row.add(repr(name), "" if read or name in passed_over or name in bad else "neither read nor named")
    return row


def _no_files(folder: Path) -> Row:
    row = Row(
        "no folder, an empty one, a pipe, a link in a circle, 50 folders deep, no rights", "read, named or one line"
    )
    own = folder / "odd"
    deep = own.joinpath(*["d"] * 50)
    deep.mkdir(parents=True)
    (deep / "deep.txt").write_text("The deep town has nine mills.")
    (own / "circle").symlink_to(own)
    (own / "nowhere.txt").symlink_to(own / "is not there")
    os.mkfifo(own / "pipe.txt")
    (own / "closed.txt").write_text("closed")
    (own / "closed.txt").chmod(0)
    found, bad, _ = _texts(folder, own)
    row.add("a file 50 folders deep", "" if any("deep" in name for name in found) else "not read")
    for name in ("nowhere.txt", "pipe.txt"):
        row.add(name, "" if name in bad or name not in found else "read")
    row.add("closed.txt", "" if "closed.txt" in {*bad, *found} else "neither read nor named")
    for name in ("empty", "none"):
        if name == "empty":
            (folder / name).mkdir()
        try:
            _texts(folder, folder / name)
        except DataError as error:
            row.add(name, "" if "\n" not in str(error) else "more than one line")
        else:
            row.add(name, "no error")
    return row
