"""Hard distractors from given vectors, beside `mine_hard_negatives` of sentence-transformers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from clock import Clock

from raft_exp.core import collection as passages
from raft_exp.core.collection import Passages, fingerprint, hash64
from raft_exp.core.records import Passage, Question, read_jsonl, write_jsonl
from raft_exp.retrieval import Margin, Rankers
from raft_exp.retrieval.dense import IDS, VECTORS
from raft_exp.retrieval.filters import DistractorFilter

DISTRACTORS, MARGIN, WIDTH, TOPICS = 4, 0.05, 384, 1000


def prepare(folder: Path, count: int) -> int:
    """As many passages as questions; question i asks for passage i. One passage in ten is a copy of the one before
    it in other white space and case, as collections have them.
    """
    generator = np.random.default_rng(0)
    topics = generator.normal(size=(TOPICS, WIDTH)).astype(np.float32)
    vectors = topics[generator.integers(TOPICS, size=count)] + generator.normal(size=(count, WIDTH)).astype(np.float32)
    copies = np.arange(9, count, 10)
    vectors[copies] = vectors[copies - 1]
    asked = vectors + generator.normal(size=vectors.shape).astype(np.float32)
    passages.write_passages(folder, _collection(count))
    ids = [Question(f"q{i}", f"What of {i}?", ["yes"], [f"p{i}"], "train") for i in range(count)]
    write_jsonl(folder / "questions.jsonl", ids)
    hashes = np.array([hash64(question.id) for question in ids], dtype=np.uint64)
    order = np.argsort(hashes).astype(np.uint64)
    for name, rows in (("passages", vectors), ("asked", asked)):
        (folder / name).mkdir()
        np.save(folder / name / VECTORS, rows / np.linalg.norm(rows, axis=1, keepdims=True))
    np.save(folder / "asked" / IDS, np.stack([hashes[order], order]))
    return count


def _collection(count: int) -> Iterator[Passage]:
    for number in range(count):
        text = f"PASSAGE  {number - 1} " if number % 10 == 9 else f"passage {number}"
        yield Passage(f"p{number}", f"d{number}", "", text, "", [text], "")


def ours(folder: Path, most: int) -> dict[str, Any]:
    """Distractors of every question, as the dataset stage chooses them."""
    start = Clock()
    guards = DistractorFilter(Passages(folder), same_document=False, answer_allowed=True)

    def questions() -> Iterator[Question]:
        return read_jsonl(folder / "questions.jsonl", Question)

    folders = {"passages": folder / "passages", "questions": folder / "asked"}
    sources = Rankers(guards, 0, folders, Margin(relative=MARGIN))
    rank = sources.ranker("dense", None, np.arange(len(guards.passages)), questions)
    rows = [guards.distractors(question, rank(question), DISTRACTORS) for question in questions()]
    seconds = start.figures()
    texts = [[guards.passages[ordinal].text for ordinal in row] for row in rows]
    return {"rows": len(rows), **seconds} | _faults(folder, dict(enumerate(texts)))


class Given:
    """The model interface that `mine_hard_negatives` uses, with stored vectors of length 1 (cosine = product)."""

    device = "cpu"

    def __init__(self, folder: Path) -> None:
        from sentence_transformers import util

        self._folder = folder
        self.similarity, self.similarity_pairwise = util.dot_score, util.pairwise_dot_score

    def encode_document(self, texts: list[str], **_: Any) -> np.ndarray:
        return self._read("passages", texts)

    def encode_query(self, texts: list[str], **_: Any) -> np.ndarray:
        return self._read("asked", texts)

    def _read(self, name: str, texts: list[str]) -> np.ndarray:
        vectors = np.load(self._folder / name / VECTORS)
        assert len(vectors) == len(texts), "texts were expected in the order of the files"
        return vectors


def mine_hard_negatives(folder: Path, most: int) -> dict[str, Any]:
    """Distractors of every question by sentence-transformers, with its defaults."""
    import datasets
    from sentence_transformers import util

    questions = [question.question for question in read_jsonl(folder / "questions.jsonl", Question)]
    corpus = [passage.text for passage in Passages(folder)]
    pairs = datasets.Dataset.from_dict({"question": questions, "gold": corpus})
    start = Clock()
    found = util.mine_hard_negatives(
        pairs,
        Given(folder),
        corpus=corpus,
        num_negatives=DISTRACTORS,
        relative_margin=MARGIN,
        output_format="labeled-list",
        verbose=False,
    )
    seconds = start.figures()
    places = {question: number for number, question in enumerate(questions)}
    rows = {places[row["question"]]: row["gold"][1:] for row in found}
    return {"rows": len(rows), **seconds} | _faults(folder, rows)


def _faults(folder: Path, rows: dict[int, list[str]]) -> dict[str, int]:
    """Counts distractors that repeat the gold text or another distractor, case and white space aside."""
    collection = Passages(folder)
    gold = again = missing = 0
    for number, texts in rows.items():
        prints = [fingerprint(text) for text in texts]
        gold += prints.count(int(collection.texts[number]))
        again += len(prints) - len(set(prints))
        missing += DISTRACTORS - len(texts)
    return {"gold_again": gold, "twice": again, "too_few": missing}


CONTENDERS = {"raft_exp": ours, "mine_hard_negatives": mine_hard_negatives}
