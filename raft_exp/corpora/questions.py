"""Ready questions (corpus.questions=FILE), for every corpus whose config has that field.

A row is {question, answers, gold or document_id}, and where wanted id, split, given, evidence, explanation, slices:
the fields of `records.Question`. RAFT needs to know which passages hold the answer: `gold` names them, or `document_id`
names their document. Then its passages that hold an answer word for word are gold, or all of them where none does.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage, Question
from raft_exp.core.sampling import HashSample, subsample
from raft_exp.core.text import answer_pattern, normalise
from raft_exp.corpora.readers import json_records
from raft_exp.corpora.readers.fields import Fields

SPLITS = ("train", "validation", "test")


def files_of(config: Any) -> list[Path]:
    """The file that a corpus config names; [] where it names none. DataError when it is not there."""
    path: str | None = getattr(config, "questions", None)
    if path is not None and not Path(path).is_file():
        raise DataError(f"corpus.questions={path!r}: no such file; name a file with one question a line")
    return [] if path is None else [Path(path)]


@dataclass(frozen=True)
class ReadyQuestions:
    """The questions of a file, with gold and splits found; iterated as often as wanted."""

    file: Path
    collection: Passages
    config: Any  # max_items, validation, test
    seed: int

    def stream(self, counts: Counter[str]) -> Iterator[Question]:
        """Every question with its split, in the file's order; `counts` tells what had to be found out."""
        splits = _Splits.of(self._questions(Counter()), self.collection, self.config, self.seed)

        def settled(found: Counter[str]) -> Iterator[Question]:
            return (replace(question, split=splits.split(question)) for question in self._questions(found))

        training = (question.id for question in settled(Counter()) if question.split == "train")
        kept = subsample(training, self.config.max_items, self.seed)
        yield from (question for question in settled(counts) if question.split != "train" or question.id in kept)

    def _questions(self, counts: Counter[str]) -> Iterator[Question]:
        """`split` is "" where the file does not say."""
        for place, row in json_records.placed(self.file):
            counts["records"] += 1
            yield self._question(Fields(f"{self.file}, {place}", row), place.replace(" ", "-"), counts)

    def _question(self, fields: Fields, name: str, counts: Counter[str]) -> Question:
        answers = fields.texts("answers")
        gold = [self.collection[place] for place in self._gold(fields, answers, counts)]
        evidence = self._evidence(fields)
        if not evidence and not fields.text("explanation"):
            evidence = answering_sentence(gold, answers)
            counts["evidence_by_answer"] += len(evidence)
        return Question(
            id=fields.text("id") or name,
            question=fields.needed("question"),
            answers=answers,
            gold=[passage.id for passage in gold],
            split=fields.chosen("split", SPLITS) or "",
            given=[self.collection[self._find(fields, "given", name)].id for name in fields.texts("given")],
            evidence=evidence,
            explanation=fields.text("explanation") or "",
            slices={str(key): str(value) for key, value in (fields.get("slices", dict) or {}).items()},
        )

    def _gold(self, fields: Fields, answers: list[str], counts: Counter[str]) -> list[int]:
        named = fields.texts("gold")
        if named:
            return [self._find(fields, "gold", name) for name in dict.fromkeys(named)]
        document = fields.text("document_id")
        if document is None:
            raise fields.error(
                "gold", "is missing, and so is 'document_id'", "name the passages or the document with the answer"
            )
        whole = self.collection.of_document(document)
        if not whole:
            raise fields.error("document_id", f"is {document!r}, of which there is no passage", "correct it")
        pattern = answer_pattern(answers)
        holding = [place for place in whole if pattern and pattern.search(normalise(self.collection[place].text))]
        counts["gold_by_answer" if holding else "gold_by_document"] += 1
        return holding or whole

    def _find(self, fields: Fields, field: str, name: str) -> int:
        try:
            return self.collection.find(name)
        except DataError:
            raise fields.error(field, f"names {name!r}, which is no passage", "give ids of passages") from None

    def _evidence(self, fields: Fields) -> list[tuple[str, int]]:
        found = []
        for pair in fields.get("evidence", list) or []:
            if not (isinstance(pair, list) and [type(part) for part in pair] == [str, int]):
                raise fields.error("evidence", f"holds {pair!r:.60}", "give pairs of passage id and sentence number")
            name, sentence = pair
            sentences = self.collection[self._find(fields, "evidence", name)].sentences
            if not 0 <= sentence < len(sentences):
                raise fields.error("evidence", f"names sentence {sentence} of {len(sentences)}", "count from 0")
            found.append((name, sentence))
        return found


def answering_sentence(gold: Iterable[Passage], answers: list[str]) -> list[tuple[str, int]]:
    """The first gold sentence that holds an answer word for word: what the extractive teacher quotes."""
    pattern = answer_pattern(answers)
    if pattern:
        for passage in gold:
            for number, sentence in enumerate(passage.sentences):
                if pattern.search(normalise(sentence)):
                    return [(passage.id, number)]
    return []


class _Groups:
    """Documents joined by the questions that share them (union-find); a group goes by its smallest document."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}

    def of(self, document: int) -> int:
        """The group of a document."""
        path = []
        while (parent := self._parents.setdefault(document, document)) != document:
            path.append(document)
            document = parent
        self._parents.update(dict.fromkeys(path, document))
        return document

    def join(self, documents: Iterable[int]) -> int:
        """Makes one group of the documents' groups."""
        found = {self.of(document) for document in documents}
        group = min(found)
        self._parents.update(dict.fromkeys(found, group))
        return group


@dataclass(frozen=True)
class _Splits:
    """Splits that the file gives are kept; a document's other questions follow them; other documents are drawn.

    Documents that share a question count as one (a group), so that gold of a test question is never learned from.
    """

    groups: _Groups
    owners: dict[int, str]  # group -> the split that the file gives a question of it, "" where it gives none
    test: HashSample
    validation: HashSample
    collection: Passages

    @classmethod
    def of(cls, questions: Iterable[Question], collection: Passages, config: Any, seed: int) -> "_Splits":
        """Test and validation are drawn only where the file names no question of theirs itself."""
        groups, named = _Groups(), dict[int, str]()
        for question in questions:
            document = groups.join(_documents(question, collection))
            named[document] = _last(question.split, named.get(document, ""))
        owners: dict[int, str] = {}
        for document, split in named.items():
            group = groups.of(document)
            owners[group] = _last(split, owners.get(group, ""))
        given = set(owners.values())
        free = [str(group) for group, split in owners.items() if not split]
        test = drawn(free, free, 0.0 if "test" in given else config.test, seed, "test documents")
        rest = [document for document in free if document not in test]
        validation = drawn(
            rest, free, 0.0 if "validation" in given else config.validation, seed, "validation documents"
        )
        return cls(groups, owners, test, validation, collection)

    def split(self, question: Question) -> str:
        if question.split:
            return question.split
        group = self.groups.of(_documents(question, self.collection)[0])
        if self.owners[group]:
            return self.owners[group]
        if str(group) in self.test:
            return "test"
        return "validation" if str(group) in self.validation else "train"


def _last(*splits: str) -> str:
    return max(splits, key=("", *SPLITS).index)


def _documents(question: Question, collection: Passages) -> list[int]:
    """The documents of a question's gold passages."""
    return [int(collection.documents[collection.find(name)]) for name in question.gold]


def drawn(pool: list[str], documents: list[str], share: float, seed: int, purpose: str) -> HashSample:
    """round(share * all documents) of a pool; with a share above 0 and two in the pool, one at least on either side."""

    def count(total: int) -> int:
        wanted = round(share * len(documents))
        return min(max(wanted, 1), total - 1) if 0 < share < 1 and total > 1 else wanted

    return HashSample(pool, count, seed, purpose)
