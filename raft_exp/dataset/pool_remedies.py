"""Finds changes of settings after which the questions of a corpus have enough distractors. Each change is tested."""

from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, suppress
from dataclasses import replace
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.corpora import CorpusConfig, split_units
from raft_exp.corpora.documents import DocumentsConfig
from raft_exp.corpora.ingest_stage import IngestStage, ingest
from raft_exp.corpora.passages import PassagesConfig
from raft_exp.corpora.split_units import LEVELS

_MOST_PASSAGES = 1000  # largest corpus that is cut anew to try smaller passages
_SIZES = (128, 64)  # of smaller passages

Write = Callable[[CorpusConfig, Path, Path], None]  # settings, folder of passages, folder that gets the questions
Try = Callable[[Path, Path], None]  # folders of passages and questions; raises DataError if passages are too few


def corpus_remedies(corpus: CorpusConfig, passages: Path, questions: Path, write: Write, check: Try) -> Iterator[str]:
    """Yields the first change that gives enough distractors: a smaller unit for the splits, else smaller passages.

    Yields nothing if no change helps. Units and passage sizes are tried in descending order. `passages`, `questions`:
    folders whose questions have too few distractors. `write` writes the questions of a changed corpus; `check` raises
    DataError if they have too few distractors.
    """
    if not isinstance(corpus, DocumentsConfig | PassagesConfig):
        return
    choice = split_units.read(questions)
    present = choice["by"] if choice else "document"
    for by in LEVELS[LEVELS.index(present) + 1 :]:
        if _helps(replace(corpus, split=by), passages, write, check):
            yield f"set corpus.split={by}"
            return
    if not isinstance(corpus, DocumentsConfig) or corpus.chunk.by == "semantic":
        return
    for size in _SIZES if len(Passages(passages)) <= _MOST_PASSAGES else ():
        if corpus.chunk.overlap < size < corpus.chunk.size:
            smaller = replace(corpus, chunk=replace(corpus.chunk, size=size))
            with TemporaryDirectory() as name, redirect_stderr(StringIO()):
                ingest(IngestStage(smaller, {}, ""), out=Path(name))
                if _helps(smaller, Path(name), write, check):
                    yield f"set corpus.chunk.size={size}"
                    return


def _helps(corpus: CorpusConfig, passages: Path, write: Write, check: Try) -> bool:
    with TemporaryDirectory() as name, redirect_stderr(StringIO()), suppress(DataError):
        write(corpus, passages, Path(name))
        check(passages, Path(name))
        return True
    return False
