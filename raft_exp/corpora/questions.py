"""Questions from a file (corpus.questions=FILE), for every corpus whose config is a `QuestionsFileConfig`.

A row is {question, answers, gold or document_id}; id, split, given, evidence, explanation and slices are optional. The
fields are those of `records.Question`. `readers/question_rows.py` lists their other names and the file formats. `gold`
names the gold passages. `document_id` names one or more documents, in which the gold passages are searched (`gold.py`).
If a row has neither field, its gold is searched in all passages (`gold_search.py`).
"""

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Passage, Question
from raft_exp.core.sampling import subsample
from raft_exp.core.screen import say
from raft_exp.core.text import Form, answer_pattern
from raft_exp.corpora.context_forms import as_written_first
from raft_exp.corpora.gold_search import GoldSearch, Hints, guesses, is_long
from raft_exp.corpora.question_levels import QuestionLevel, Questions
from raft_exp.corpora.question_splits import SPLITS
from raft_exp.corpora.readers import flashrag
from raft_exp.corpora.readers.fields import Fields, column_setting
from raft_exp.corpora.readers.question_rows import QuestionRows
from raft_exp.corpora.split_units import SplitBy, choose, setting_of
from raft_exp.retrieval.likeness import ByWords, Likeness


@runtime_checkable
class QuestionsFileConfig(Protocol):
    """The settings of a corpus whose questions may come from a file."""

    @property
    def questions(self) -> str | None:
        """The path of the questions file."""

    @property
    def max_items(self) -> int | None:
        """The maximum number of training questions; None for all."""

    @property
    def columns(self) -> dict[str, str]:
        """{field of a question: its column in the file}, for column names that are not recognised."""

    @property
    def closest(self) -> int:
        """The maximum number of gold passages of a question whose answer is in no passage word for word."""

    @property
    def validation(self) -> float:
        """Share of the documents (of the questions, if documents are few) in the validation split."""

    @property
    def test(self) -> float:
        """Share of the documents (of the questions, if documents are few) in the test split."""


def files_of(config: object) -> list[Path]:
    """Returns [the questions file], or [] without `corpus.questions`. Raises DataError if the file does not exist."""
    path = config.questions if isinstance(config, QuestionsFileConfig) else None
    if path is not None and not Path(path).is_file():
        raise DataError(f"corpus.questions={path!r}: no such file; give a file with one question per line")
    return [] if path is None else [Path(path)]


def searches_documents(config: object) -> bool:
    """Whether a question of the file names neither gold passages nor documents, and has a long answer.

    The document of this question may have to be searched (`gold_search.py`). The file is read up to this question.
    Returns False for a corpus without a file, and for a file that cannot be read; the questions stage then raises the
    error.
    """
    if not isinstance(config, QuestionsFileConfig):
        return False
    try:
        for file in files_of(config):
            rows = QuestionRows(file, config.columns)
            for place, row in rows.placed():
                fields = Fields(f"{file}, {place}", row)
                if not _names_gold(fields) and is_long(fields.texts("answers")):
                    return True
    except DataError:
        return False
    return False


def _names_gold(fields: Fields) -> bool:
    """Whether a row names gold passages, or the documents that contain them."""
    return bool(fields.texts("gold") or fields.names("document_id"))


def _is_flashrag(fields: Fields) -> bool:
    """Whether a row has FlashRAG's layout. It never names documents, so gold of a search is not counted as a guess."""
    return fields.has_column(flashrag.ANSWERS)


@dataclass
class ReadyQuestions:
    """The questions of a file, with their gold passages and splits. They can be streamed several times."""

    file: Path
    collection: Passages
    config: QuestionsFileConfig
    seed: int
    likeness: Likeness | None = None  # similarity of passages to question and answer; None: BM25 (`ByWords`)
    indexed: Path | None = None  # folder of stage `index`, for questions that name no document; None: built if needed
    enough: bool = True  # whether the corpus has enough documents to split by document (`split_units.FEW_DOCUMENTS`)
    by: SplitBy = field(default="document", init=False)  # what the questions are split by; set while streaming
    drawn: bool = field(default=False, init=False)  # whether a split was drawn; set while streaming
    names_test: bool = field(default=False, init=False)  # whether the file names test questions; set while streaming

    def stream(self, counts: Counter[str]) -> Iterator[Question]:
        """Yields the questions with their splits, in file order.

        Leaves out questions whose gold a search does not find, and training questions beyond `max_items`. Adds the
        numbers of questions to `counts`, by the way in which gold and evidence were found. Raises DataError for an
        invalid row, for a document without a passage like question and answer (`GoldFinder.check`), and if no question
        has an answer or all questions are left out.
        """
        first, rows, answered = Counter[str](), QuestionRows(self.file, self.config.columns), Counter[bool]()
        self._check_names(rows)
        likeness = self.likeness or ByWords(self.collection)
        search = GoldSearch(self.collection, self.config.closest, likeness, self.indexed)
        search.search_vectors(self._without_gold(rows))
        for question in self._questions(rows, first, search):
            answered[bool(question.answers)] += 1
            self.drawn = self.drawn or not question.split
            self.names_test = self.names_test or question.split == "test"
        there = ", ".join(map(repr, rows.names))
        if not answered[True] and first["records"] == answered[False] + first["without_answer"]:
            raise DataError(
                f"{self.file}: no question has an answer; add answers, or name their column: "
                f"{column_setting('answers')} (the file has {there})"
            )
        search.finder.check(first["records"])
        self._tell_searches(first, there)
        if line := rows.taken():
            say(line, error=True)
        level = self._level(lambda: self._questions(rows, Counter(), search))
        kinds = (
            bool(first["gold_by_closeness"] + first["gold_by_document"]),
            0 < first["gold_several"] < first["records"],
        )

        def with_splits(stream_counts: Counter[str]) -> Iterator[Question]:
            for question in self._questions(rows, stream_counts, search, kinds):
                yield replace(question, split=level.split(question))

        training = (question.id for question in with_splits(Counter()) if question.split == "train")
        sample = subsample(training, self.config.max_items, self.seed)
        yield from (question for question in with_splits(counts) if question.split != "train" or question.id in sample)

    def _check_names(self, rows: QuestionRows) -> None:
        """Raises DataError if a row has no answer and names neither gold passages nor documents.

        A search cannot find the gold of such a row. No error is raised if no row has an answer, and for rows in
        FlashRAG's layout, which are left out later. Prints how many rows name neither gold passages nor documents, if
        other rows name them.
        """
        counts, first_searched = Counter[bool](), ""  # whether a row names gold passages or documents -> rows
        answered, lacking, first = False, 0, Fields("", {})
        for place, row in rows.placed():
            fields = Fields(f"{self.file}, {place}", row, rows.names)
            has_answer = bool(fields.texts("answers"))
            answered = answered or has_answer
            names_gold = _names_gold(fields)
            counts[names_gold] += 1
            if not names_gold:
                first_searched = first_searched or place
            if not has_answer and not names_gold and not _is_flashrag(fields):
                first = first if lacking else fields
                lacking += 1
        if answered and lacking:
            more = f" (such rows in all: {lacking:,})" if lacking > 1 else ""
            fault = f"is missing or empty, and the row names neither gold passages nor a document{more}"
            raise first.error("answers", fault, "give the answer or remove the record")
        if counts[True] and counts[False]:
            say(
                f"{self.file}: {counts[False]:,} of {counts.total():,} questions name neither document_id nor gold "
                f"(the first: {first_searched}); for these, the gold is searched in all passages, or among those in "
                "retrieval_result; to avoid this search, give document_id in these rows",
                error=True,
            )

    def _tell_searches(self, counts: Counter[str], columns: str) -> None:
        """Prints for how many questions a search found the gold or its document, and how many are left out.

        `columns`: the names of the file's columns. Raises DataError if all questions are left out.
        """
        records, lost = counts["records"], counts["without_gold"]
        by_answer, in_document = counts["gold_guessed_by_search"], counts["gold_in_found_document"]
        remedy = (
            "name the document of each question in a column document_id, or name its column: "
            f"{column_setting('document_id')} (the file has {columns})"
        )
        if guessed := by_answer + in_document:
            say(
                f"{self.file}: the gold of {guessed:,} of {records:,} questions is guessed, because they name neither "
                f"gold passages nor a document: {guesses(by_answer, in_document)}. To avoid guesses, {remedy}",
                error=True,
            )
        if lost:
            line = (
                f"{self.file}: {lost:,} of {records:,} questions are left out: none of the passages that a search "
                "found for them holds the answer word for word, or a third of the words of a long answer"
                f"{f'; {remedy}' if 2 * lost >= records else ''}"
            )
            if lost == records:
                raise DataError(line)
            say(line, error=True)

    def _without_gold(self, rows: QuestionRows) -> Iterator[tuple[str, str, list[str]]]:
        """Yields (place, question, answers) of the rows whose gold is searched in all passages."""
        for place, row in rows.placed():
            fields = Fields(f"{self.file}, {place}", row, rows.names)
            if not _names_gold(fields) and fields.get("retrieved", list) is None:
                yield place, fields.needed("question"), fields.texts("answers")

    def _level(self, questions: Questions) -> QuestionLevel:
        """Returns the splits by the unit of corpus.split."""

        def level(by: SplitBy) -> QuestionLevel:
            return QuestionLevel(by, questions, self.collection, self.config, self.seed, few=not self.enough)

        self.by, chosen = choose(setting_of(self.config), self.enough, level)
        return chosen

    def _questions(
        self, rows: QuestionRows, counts: Counter[str], search: GoldSearch, kinds: tuple[bool, bool] = (False, False)
    ) -> Iterator[Question]:
        """Yields the questions with the split of the file, or "" if the file gives none.

        `kinds`: the arguments of `FoundGold.slices`.
        """
        for place, row in rows.placed():
            counts["records"] += 1
            fields = Fields(f"{self.file}, {place}", row, rows.names)
            question = self._question(fields, place, counts, search, kinds)
            if question.gold:
                yield question
            else:
                counts["without_gold"] += 1
                if not question.answers:
                    counts["without_answer"] += 1

    def _question(
        self, fields: Fields, place: str, counts: Counter[str], search: GoldSearch, kinds: tuple[bool, bool]
    ) -> Question:
        answers, evidence = fields.texts("answers"), self._evidence(fields)
        unexplained = not evidence and not fields.text("explanation")
        gold, quotes, holds = search(place, fields.needed("question"), answers, self._hints(fields), unexplained)
        gold.count(counts)
        if quotes:
            counts["evidence_by_answer" if holds else "evidence_by_closeness"] += len(quotes)
        if gold.kind == "search":  # the first answer is the target of training
            answers = as_written_first(answers, " ".join(self.collection[at].text for at in gold.passages))
            if gold.passages and not is_long(answers[:1]) and not _is_flashrag(fields):
                counts["gold_guessed_by_search"] += 1
        name = place.replace(" ", "-")
        given = [self._find(fields, "given", passage) for passage in fields.texts("given")] or gold.given
        return Question(
            id=fields.text("id") or name,
            question=fields.needed("question"),
            answers=answers,
            gold=self._ids(gold.passages),
            split=fields.chosen("split", SPLITS) or "",
            given=self._ids(given),
            evidence=evidence or quotes,
            explanation=fields.text("explanation") or "",
            slices=gold.slices(*kinds)
            | {str(key): str(value) for key, value in (fields.get("slices", dict) or {}).items()},
            also_answering=self._ids(gold.also_answering),
        )

    def _ids(self, ordinals: Iterable[int]) -> list[str]:
        return [self.collection[ordinal].id for ordinal in ordinals]

    def _hints(self, fields: Fields) -> Hints:
        """Returns the passages that a row names as gold, else the passages of each document that it names.

        For a row that names neither, returns the passages of its field `retrieved`. Raises DataError for a name without
        a passage.
        """
        named = fields.texts("gold")
        if named:
            return Hints([self._find(fields, "gold", name) for name in dict.fromkeys(named)])
        documents = fields.names("document_id")
        if not documents:
            retrieved = fields.get("retrieved", list)
            return Hints([], retrieved=None if retrieved is None else self._retrieved(fields, retrieved))
        found = {name: self.collection.of_document(name) for name in documents}
        for name, passages in found.items():
            if not passages:
                raise fields.error(
                    "document_id",
                    f"is {name!r}, but the corpus has no document with this id, or the document has no text",
                    self._nearest(name),
                )
        return Hints([], [*found.values()])

    def _retrieved(self, fields: Fields, passages: Iterable[object]) -> list[int]:
        placed = enumerate(passages, start=1)
        inner = [
            Fields(f"{fields.where}, retrieval_result {number}", passage)
            for number, passage in placed
            if isinstance(passage, dict)
        ]
        return list(dict.fromkeys(self._find(each, "id", each.needed("id")) for each in inner))

    def _nearest(self, name: str) -> str:
        """Returns the remedy for an unknown document: the most similar id, or a few existing ids."""
        known = list(dict.fromkeys(passage.document_id for passage in self.collection))
        by_name = {Path(each).name: each for each in known}
        close = difflib.get_close_matches(name, known, 1) or difflib.get_close_matches(Path(name).name, by_name, 1)
        if close:
            return f"did you mean {by_name.get(close[0], close[0])!r}?"
        return f"the corpus has {len(known):,} documents, for example {', '.join(map(repr, known[:3]))}"

    def _find(self, fields: Fields, field: str, name: str) -> int:
        try:
            return self.collection.find(name)
        except DataError:
            fault = f"names {name!r}, but no passage has this id"
            remedy = "give the id of a passage (until=ingest export.passages=true writes the passages)"
            raise fields.error(field, fault, remedy) from None

    def _evidence(self, fields: Fields) -> list[tuple[str, int]]:
        evidence = []
        for pair in fields.get("evidence", list) or []:
            if not (isinstance(pair, list) and [type(part) for part in pair] == [str, int]):
                raise fields.error("evidence", f"holds {pair!r:.60}", "give pairs of passage id and sentence number")
            name, sentence = pair
            sentences = self.collection[self._find(fields, "evidence", name)].sentences
            if not 0 <= sentence < len(sentences):
                remedy = f"it has {len(sentences)} sentences; the first is number 0, the last {len(sentences) - 1}"
                raise fields.error("evidence", f"names sentence {sentence} of passage {name!r}", remedy)
            evidence.append((name, sentence))
        return evidence


def answering_sentence(gold: Iterable[Passage], answers: list[str], form: Form) -> list[tuple[str, int]]:
    """Returns the first gold sentence that contains an answer word for word: [(passage id, sentence number)], or [].

    Used for published datasets. A user's own corpora use `quoted.closest_quotes`.
    """
    pattern = answer_pattern(answers, form)
    if pattern:
        for passage in gold:
            for number, sentence in enumerate(passage.sentences):
                if pattern.search(sentence):
                    return [(passage.id, number)]
    return []
