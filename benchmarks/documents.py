"""Reading a folder of mixed files: `python benchmarks/documents.py [--files 250 1000] [--beside CHECKOUT]`.

Makes files of the eight kinds that raft_exp has read from the beginning (docx, pptx, html, md, txt, csv, json, pdf) and
reads them with one process, then again with one new file. `--beside` reads the same folder with another checkout of
raft_exp and gives the ratio. CPU seconds are those of the parent and its reading processes; compare them, not wall
time, on a machine that does other work. Peaks are resident memory in MiB.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.helpers import documents as made

ROOT = Path(__file__).parents[1]
SYLLABLES = ("ka", "lo", "mi", "ren", "tu", "vas", "or", "be", "si", "dan")
WORDS = ["the", "of", "and", "to", *(a + b + c for a in SYLLABLES for b in SYLLABLES for c in SYLLABLES)]
WIDTH, PEAKS = 15, ("peak_mib", "reader_peak_mib")
READ = """
import json, os, resource, sys, time
from raft_exp.corpora import open_corpus
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose
corpus = open_corpus(parse(compose("corpus=documents", "corpus.workers=1", *sys.argv[1:])).corpus)
before, start = sum(os.times()[:4]), time.monotonic()
count = sum(1 for _ in corpus.passages())
peaks = [resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps({"passages": count, "not_read": len(corpus.report.bad), "cpu_seconds": sum(os.times()[:4]) - before,
                  "seconds": time.monotonic() - start, "peak_mib": peaks[0], "reader_peak_mib": peaks[1]}))
"""


def sentence(generator: random.Random) -> str:
    """About 15 words with a number of its own."""
    return f"{' '.join(generator.choices(WORDS, k=14)).capitalize()} {generator.randrange(10**6)}."


def paragraph(generator: random.Random) -> str:
    return " ".join(sentence(generator) for _ in range(4))


def _docx(generator: random.Random) -> bytes:
    import docx

    file = docx.Document()
    for number in range(6):
        file.add_heading(f"Section {number}", 1)
        for _ in range(5):
            file.add_paragraph(paragraph(generator))
    table = file.add_table(20, 3)
    for number, cell in enumerate(table._cells):
        cell.text = f"{('part', 'price', 'stock')[number % 3]} {generator.randrange(10**6)}"
    return made.saved(file)


def _pptx(generator: random.Random) -> bytes:
    import pptx

    file = pptx.Presentation()
    for number in range(8):
        slide = file.slides.add_slide(file.slide_layouts[1])
        slide.shapes.title.text = f"Slide {number}"
        slide.placeholders[1].text = "\n".join(sentence(generator) for _ in range(5))
    return made.saved(file)


def _html(generator: random.Random) -> bytes:
    blocks = [f"<h2>Section {n}</h2><p>{paragraph(generator)}</p>" for n in range(30)]
    rows = [f"<tr><td>bolt {n}</td><td>{generator.randrange(10**6)}</td></tr>" for n in range(20)]
    table = f"<table><tr><th>part</th><th>price</th></tr>{''.join(rows)}</table>"
    return f"<html><body>{''.join(blocks)}{table}</body></html>".encode()


def _markdown(generator: random.Random) -> bytes:
    return "\n\n".join(f"## Section {n}\n\n{paragraph(generator)}" for n in range(30)).encode()


def _text(generator: random.Random) -> bytes:
    return "\n\n".join(paragraph(generator) for _ in range(30)).encode()


def _csv(generator: random.Random) -> bytes:
    return "\n".join(["part,price,note", *(f"bolt {n},{n * 3},{sentence(generator)}" for n in range(200))]).encode()


def _json(generator: random.Random) -> bytes:
    return json.dumps([{"part": f"bolt {n}", "note": sentence(generator)} for n in range(100)]).encode()


def _pdf(generator: random.Random) -> bytes:
    return made.pdf(*([(50, 760 - 15 * n, sentence(generator)) for n in range(40)] for _ in range(6)))


KINDS: dict[str, Callable[[random.Random], bytes]] = {
    "docx": _docx, "pptx": _pptx, "html": _html, "md": _markdown, "txt": _text, "csv": _csv, "json": _json, "pdf": _pdf
}  # fmt: skip


def make(folder: Path, count: int) -> None:
    """Writes `count` files, the kinds by turns."""
    folder.mkdir()
    for number in range(count):
        suffix = list(KINDS)[number % len(KINDS)]
        data = KINDS[suffix](random.Random(number))
        (folder / f"{number:05}.{suffix}").write_bytes(data)


def read(checkout: Path, folder: Path, store: Path) -> dict[str, float]:
    """The figures of reading a folder in a process of its own."""
    command = [sys.executable, "-c", READ, f"corpus.path={folder}", f"store={store}"]
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, nargs="+", default=[250, 1000])
    parser.add_argument("--beside", type=Path, help="another checkout of raft_exp")
    parser.add_argument("--repeats", type=int, default=1, help="readings of each folder, of which the fastest counts")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    heads = ("files", "reader", "CPU s", "passages", "peak", "reader peak", "one more, CPU s")
    print(" ".join(f"{head:>{WIDTH}}" for head in heads))
    for count in arguments.files:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "files"
            make(folder, count)
            for name, checkout in {"this": ROOT, "beside": arguments.beside}.items():
                if checkout is None:
                    continue
                first = read(checkout.resolve(), folder, Path(place) / name)
                for number in range(1, arguments.repeats):
                    other = read(checkout.resolve(), folder, Path(place) / f"{name}{number}")
                    first = min(first, other, key=lambda figures: figures["cpu_seconds"])
                new = folder / "new.txt"
                new.write_text(f"A new file for {name}.")
                again = read(checkout.resolve(), folder, Path(place) / name)
                new.unlink()
                rows.append({"files": count, "reader": name, **first, "again_cpu_seconds": again["cpu_seconds"]})
                figures = [f"{first['cpu_seconds']:.1f}", first["passages"], *(f"{first[key]:.0f}" for key in PEAKS)]
                shown = [count, name, *figures, f"{again['cpu_seconds']:.1f}"]
                print(" ".join(f"{value:>{WIDTH}}" for value in shown), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
