"""The unit by which questions are split: documents, sections of documents, or single questions (corpus.split).

- `document`: all questions about a document have one split. Distractors of a question come from other documents.
- `section`: all questions about a section have one split. A section is a run of passages of one document with one
  place: a heading, a page, a slide, or some paragraphs or rows of a text without headings. Distractors come from other
  sections, including sections of the same document.
- `question`: questions are split one by one, and passages may be distractors in every split. Questions with the same
  gold passage stay together if enough questions remain for each split.

The smaller the unit, the more a test question has in common with training. So `auto` stands for the largest unit with
filled splits and enough distractors for each question (`choose`).
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol, TypeVar

import numpy as np

from raft_exp.core.audit import SplitChoice
from raft_exp.core.collection import Passages, hash64
from raft_exp.core.files import write_atomically

SplitBy = Literal["document", "section", "question"]
Setting = Literal["auto", "document", "section", "question"]
LEVELS: tuple[SplitBy, ...] = ("document", "section", "question")  # the largest unit first

RULES = 1  # version of the rules of `auto` for few documents
FILE_RULES = 2  # the same for a file of questions, whose documents `shares.draw_nearest` draws if they are few
FEW_DOCUMENTS = 30  # fewer documents may be too few for a split by document
NUM_DISTRACTORS = 4  # distractors that each question needs under `auto` (as in the paper); one more per gold passage
SPLIT = "split.json"  # in the folder of the questions stage; missing in results of earlier versions


def write(folder: Path, choice: SplitChoice) -> None:
    """Writes split.json into the folder of a questions stage."""
    write_atomically(folder / SPLIT, json.dumps(choice, indent=1))


def read(questions: Path) -> SplitChoice | None:
    """Returns the split choice of a questions stage.

    Returns None for a corpus with published splits, and for results of earlier versions.
    """
    file = questions / SPLIT
    choice: SplitChoice | None = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
    return choice


def split_passages(passages: Path, questions: Path) -> Passages:
    """Returns the collection in `passages`, with the units by which the questions in `questions` are split."""
    choice = read(questions)
    return divided(Passages(passages), choice["by"] if choice else "document")


def divided(collection: Passages, by: SplitBy) -> Passages:
    """Returns the collection with the units `by`: hashes of documents or sections, or ordinals of single passages."""
    if by == "document":
        return collection
    units = _sections(collection) if by == "section" else np.arange(len(collection), dtype=np.uint64)
    return collection.with_units(units, shared=by == "question")


def _sections(collection: Passages) -> np.ndarray:
    """Returns an array of shape (passages,): a hash of the section of each passage."""
    last: dict[str, tuple[str, int]] = {}  # document -> place of its latest passage, and number of its latest section
    sections = np.empty(len(collection), dtype=np.uint64)
    for ordinal, passage in enumerate(collection):
        place, number = last.get(passage.document_id, (passage.place, 0))
        number += passage.place != place
        last[passage.document_id] = passage.place, number
        sections[ordinal] = hash64(f"{number}|{passage.document_id}")
    return sections


class Level(Protocol):
    """The splits of a corpus by one kind of unit: documents, sections or questions."""

    def is_filled(self) -> bool:
        """Whether each required split has enough questions."""

    def has_room(self) -> bool:
        """Whether each question has enough passages for its distractors."""


L = TypeVar("L", bound=Level)


def setting_of(config: object) -> Setting:
    """Returns the setting corpus.split; `document` for a corpus without this setting."""
    setting: Setting = getattr(config, "split", "document")
    return setting


def choose(setting: Setting, enough: bool, level: Callable[[SplitBy], L]) -> tuple[SplitBy, L]:
    """Returns (unit, its splits): those of `setting`, or for `auto` of the largest unit that suffices.

    A unit suffices if `is_filled` and `has_room` are true of its splits; if no unit does, the smallest one is chosen.
    `enough`: the corpus has so many documents that a split by document needs no check of `has_room`. `level`: makes the
    splits by a unit.
    """
    if setting != "auto":
        return setting, level(setting)
    for by in LEVELS[:-1]:
        made = level(by)
        if made.is_filled() and ((enough and by == "document") or made.has_room()):
            return by, made
    return LEVELS[-1], level(LEVELS[-1])


def words(choice: SplitChoice) -> str:
    """Describes the split in a few sentences, for the terminal and the report; "" for a split by document."""
    if choice["by"] == "document":
        return ""
    what = "Questions are split" if choice["drawn"] else "The file gives the splits; pools of distractors are formed"
    why = ""
    if choice["setting"] == "auto":
        about = choice["documents"]
        why = f", because {about:,} documents are too few" if about > 1 else ", because all are about one document"
    return (
        f"{what} by {choice['by']}{why} (corpus.split): {_shared(choice)}. "
        "The figures apply to these documents and say less about new documents."
    )


def off_share(choice: SplitChoice) -> str:
    """Describes a share of test questions that is far from corpus.test, and the remedies; "" for any other split."""
    if "test_share" not in choice:
        return ""
    test, of, share = choice["test_share"]
    smaller = {"document": "section or question", "section": "question", "question": ""}[choice["by"]]
    remedy = f"set corpus.split={smaller}, add documents" if smaller else "add questions"
    return (
        f"{test:,} of {of:,} questions ({100 * test / of:.0f}%) are test questions, and corpus.test is {share:g}: each "
        f"{choice['by']} is drawn as a whole, together with those that share passages or questions. For another share "
        f"{remedy}, or name the split of each question in the field 'split'."
    )


def _shared(choice: SplitChoice) -> str:
    """Describes what test questions have in common with training."""
    of = choice["test_questions"]
    if choice["by"] == "question":
        return (
            "training contexts may show passages of test questions, and "
            f"{choice['with_trained_gold']:,} of {of:,} test questions have a gold passage that is gold in training"
        )
    return (
        f"{choice['of_trained_documents']:,} of {of:,} test questions are about a document of training questions, and "
        f"{choice['beside_training']:,} have gold that shares a sentence with a passage that training may show"
    )
