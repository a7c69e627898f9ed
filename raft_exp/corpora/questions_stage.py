"""Stage `questions`: each question with its answers, its gold passages and its split."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from raft_exp.core.collection import Passages
from raft_exp.core.errors import DataError
from raft_exp.core.records import Question, read_jsonl, write_jsonl
from raft_exp.core.schema import Count, KeyedWhenSet, Seed, config_dataclass
from raft_exp.core.screen import say
from raft_exp.core.stage import stage
from raft_exp.corpora import CorpusConfig, open_corpus, split_units
from raft_exp.corpora.questions import QuestionsFileConfig, ReadyQuestions, files_of
from raft_exp.corpora.split_figures import split_choice
from raft_exp.corpora.split_units import SplitBy, divided, setting_of
from raft_exp.models.encoder import EncoderConfig
from raft_exp.retrieval.likeness import ByVectors

VERSION = 3
_FAR = 0.1  # a line warns of a larger difference between the share of test questions and corpus.test
GOLD_RULES = 1  # version of the rules by which gold passages and quotes of a file of questions are chosen (`gold.py`)


@config_dataclass
class QuestionsStage:
    """The settings of the questions."""

    corpus: CorpusConfig
    seed: Seed
    gold_rules: KeyedWhenSet[Count] = 0  # GOLD_RULES where questions come from a file
    encoder: KeyedWhenSet[EncoderConfig | None] = None  # finds gold passages and quotes in a file; None: bm25 does
    search_rules: KeyedWhenSet[Count] = 0  # gold_search.RULES where documents of questions are searched
    split_rules: KeyedWhenSet[Count] = 0  # split_units.FILE_RULES where a split by document may have too few


@stage("questions", VERSION)
def questions(
    config: QuestionsStage, *, passages: Path, out: Path, embedded: Path | None = None, indexed: Path | None = None
) -> None:
    """Writes questions.jsonl and counts.json, and split.json if the questions come from a file.

    `embedded`: the vectors of the passages, if the settings have an encoder. `indexed`: the BM25 index of the passages,
    if documents of questions are searched (`gold_search.py`). Raises DataError if the training or the test split is
    empty, if an id is repeated, and if a test question has no answer.
    """
    corpus = open_corpus(config.corpus, config.seed)
    stream, splits, ready = corpus.questions(), Counter[str](), None
    if isinstance(config.corpus, QuestionsFileConfig):
        for file in files_of(config.corpus):
            likeness = ByVectors(config.encoder, embedded) if config.encoder and embedded else None
            enough = not config.split_rules
            ready = ReadyQuestions(file, Passages(passages), config.corpus, config.seed, likeness, indexed, enough)
            stream = ready.stream(corpus.counts)
    write_jsonl(out / "questions.jsonl", _checked(stream, splits, config.corpus))
    check_filled(config.corpus, splits, ready.by if ready else None)
    if ready:
        tell_split(out, config.corpus, ready.by, ready.drawn, ready.collection, draws_test=not ready.names_test)
    (out / "counts.json").write_text(
        json.dumps({**dict(sorted(splits.items())), **dict(sorted(corpus.counts.items()))}), encoding="utf-8"
    )


def check_filled(corpus: CorpusConfig, splits: Mapping[str, int], by: SplitBy | None) -> None:
    """Raises DataError if the training or the test split has no questions.

    `splits`: split -> number of questions. `by`: the unit by which a file's questions are split; None for a corpus with
    published splits.
    """
    for split in ("train", "test"):
        if splits.get(split):
            continue
        found = f"corpus.name={corpus.name!r} has no {split} questions (found {dict(splits)})"
        if by is None:
            settings = [f"corpus.{name}" for name in ("path", "train", "test") if hasattr(corpus, name)]
            raise DataError(f"{found}; check {', '.join(settings)} and the files of splits beside the data")
        remedies = []
        if setting_of(corpus) not in ("auto", "question"):
            remedies.append("set corpus.split=auto")
        if split == "test" and not getattr(corpus, "test", 0.0):
            remedies.append("set corpus.test=0.2")
        remedies += ["add questions", "or set the field split of each question in the file (train, validation, test)"]
        raise DataError(f"{found}; the questions are split by {by}; {', '.join(remedies)}")


def tell_split(
    out: Path, corpus: CorpusConfig, by: SplitBy, drawn: bool, collection: Passages, draws_test: bool = False
) -> None:
    """Writes split.json into `out`, the folder of questions.jsonl.

    Prints a line if the unit `by` is smaller than a document, and one if the share of test questions is far from
    `corpus.test`. `drawn`: whether a split was drawn. `draws_test`: whether test questions were drawn by this share.
    """
    choice = split_choice(
        by,
        setting_of(corpus),
        drawn,
        divided(collection, by),
        lambda: read_jsonl(out / "questions.jsonl", Question),
    )
    share, counts = float(getattr(corpus, "test", 0.0)), Counter[str]()
    if drawn and draws_test and _all_are_used(corpus):
        counts.update(question.split for question in read_jsonl(out / "questions.jsonl", Question))
    if abs(counts["test"] - share * counts.total()) > max(_FAR * counts.total(), 1):  # one question may be rounding
        choice["test_share"] = counts["test"], counts.total(), share
    split_units.write(out, choice)
    for line in filter(None, (split_units.words(choice), split_units.off_share(choice))):
        say(line, error=True)


def _all_are_used(corpus: CorpusConfig) -> bool:
    """Whether all training questions are used, so that shares of the questions are those of the draw."""
    return getattr(corpus, "max_items", None) is None


def _checked(stream: Iterator[Question], splits: Counter[str], corpus: CorpusConfig) -> Iterator[Question]:
    """Yields and counts the questions. Raises DataError for a repeated id or a test question without an answer."""
    seen: set[str] = set()
    lacking: list[str] = []  # ids
    file = getattr(corpus, "questions", None)
    source = f"{file}: " if file else ""
    subset = ", or set corpus.test to a subset with answers" if corpus.name == "pubmedqa" else ""
    for question in stream:
        if question.id in seen:
            raise DataError(f"{source}question id {question.id!r} occurs twice; give each question its own id")
        seen.add(question.id)
        if question.split == "test" and not question.answers:
            lacking.append(question.id)
        splits[question.split] += 1
        yield question
    if lacking:
        more = f" (such questions in all: {len(lacking):,})" if len(lacking) > 1 else ""
        raise DataError(
            f"{source}test question {lacking[0]!r} has no reference answer{more}; add an answer, or remove the question"
            f"{subset}"
        )
