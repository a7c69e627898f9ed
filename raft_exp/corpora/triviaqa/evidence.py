"""The evidence documents of TriviaQA's authors: text files beside the questions, cut into passages.

The archive triviaqa-rc.tar.gz has qa/*.json and evidence/{wikipedia,web}/. A record names its documents by file name.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from raft_exp.core.errors import DataError
from raft_exp.core.text import answer_pattern, plain_words
from raft_exp.corpora.context_forms import first_is_gold
from raft_exp.corpora.context_records import Piece
from raft_exp.corpora.sentences import split_sentences
from raft_exp.retrieval.likeness import by_words

FOLDER = "evidence"
KINDS = {"EntityPages": "wikipedia", "SearchResults": "web"}  # list of a record -> subfolder of its files


@dataclass(frozen=True)
class Document:
    """An evidence document."""

    title: str
    text: str


@dataclass(frozen=True)
class EvidenceFiles:
    """The folders with the evidence files of question files in the authors' layout; () for other layouts."""

    folders: tuple[Path, ...]

    @classmethod
    def beside(cls, files: Iterable[Path]) -> "EvidenceFiles":
        """Returns the evidence folders of question files: `evidence` in the file's folder or in the folder above."""
        found = (folder / FOLDER for file in files for folder in (file.parent, file.parent.parent))
        return cls(tuple({folder.resolve(): folder for folder in found if folder.is_dir()}.values()))

    def text(self, kind: str, name: str, where: str) -> str | None:
        """Returns the text of a document; None if it is missing. Raises DataError for a name outside the folder."""
        place = PurePosixPath(name)
        if place.is_absolute() or ".." in place.parts:
            raise DataError(f"{where}: Filename is {name!r}, outside the folder of evidence; correct the record")
        for folder in self.folders:
            path = folder / kind / place
            if path.is_file():
                return path.read_text(encoding="utf-8", errors="replace")
        return None


def pieces_of(documents: Iterable[Document], words: int, question: str, answers: Sequence[str]) -> list[Piece]:
    """Returns the passages of a question's documents: the gold passage, others that hold an answer, distractors.

    Of the passages with an answer word for word, the one most similar to question and answers (BM25) is gold; without
    such passages, there is no gold. Distractors are in the order of their similarity to the question. `words`: the
    largest number of words of a passage.
    """
    texts = [(document.title, text) for document in documents for text in passages_of(document.text, words)]
    search = answer_pattern(answers, plain_words)
    found = [Piece(title, text, bool(search and search.search(text))) for title, text in texts]
    holding = _ranked([piece for piece in found if piece.gold], f"{question} {' '.join(answers)}")
    return [*first_is_gold(holding), *_ranked([piece for piece in found if not piece.gold], question)]


def with_closest(pieces: Sequence[Piece], wanted: str) -> list[Piece]:
    """Returns the passages, with the passage most similar to the text `wanted` first and marked as gold.

    `pieces`: passages without gold.
    """
    closest = _ranked(pieces, wanted)[:1]
    return [*(replace(piece, gold=True) for piece in closest), *(piece for piece in pieces if piece not in closest)]


def passages_of(text: str, words: int) -> Iterator[str]:
    """Yields the passages of a text: whole sentences, with at most `words` words in a passage. Longer ones are cut."""
    passage = ""
    for sentence in split_sentences(" ".join(text.split())):
        if passage and len((passage + sentence).split()) > words:
            yield passage.strip()
            passage = ""
        passage += sentence
        while len(parts := passage.split()) > words:
            yield " ".join(parts[:words])
            passage = " ".join(parts[words:])
    if passage.strip():
        yield passage.strip()


def _ranked(pieces: Sequence[Piece], text: str) -> list[Piece]:
    """Returns the passages, the most similar to a text first. Ties keep their order."""
    if len(pieces) < 2:
        return [*pieces]
    scores = by_words(text, [f"{piece.title} {piece.text}" for piece in pieces])
    return [pieces[at] for at in sorted(range(len(pieces)), key=lambda at: -scores[at])]
