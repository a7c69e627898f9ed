"""Corpora: the sources of passages and questions.

To add a corpus named `notes` (docs/extend/corpus.md has its files, and a test runs them):

1. Write raft_exp/corpora/notes.py with two classes. `NotesConfig`, marked with `@config_dataclass`, holds the settings;
   its first field is `name: Literal["notes"]`. `Notes(config, seed)` has the members of the protocol `Corpus` below.
2. In this file, import both, add `NotesConfig` to the union `CorpusConfig` and `"notes": Notes` to `CORPORA`.
3. Write conf/corpus/notes.yaml with a value for each field of `NotesConfig`, beginning with `name: notes`.
4. Write conf/experiment/notes.yaml like passages.yaml there: corpus, model, trainer and the name of the study.

Now `python -m raft_exp +experiment=notes` runs a study of it. Without step 4, `corpus=notes` runs the embedded study on
the new corpus, with the embedded study's model, prompt, dataset settings and conditions. Metrics are those of NQ-open
(exact match and F1) unless `PROFILES` in raft_exp/evaluation/metrics has an entry for the name.

Questions: the class streams them, as hotpotqa/ does, or the user has them in a JSON-lines file. For a file, give the
config the fields of `QuestionsFileConfig` in questions.py, all of them (`questions`, `columns`, `closest`, ...). Then
questions.py reads the file, finds the gold passages and draws the splits, and `Notes.questions` returns `iter(())`.

Keys: a stage runs again when its key changes. The key of ingest holds the settings in `passage_settings`. The key of
questions holds all settings. Both keys hold the content of `files`. A field marked `Runtime` is in no key: mark a path
`Runtime[str]`, so that a moved file with the same content runs nothing again. The name of a file is in the keys, its
folder is not. A corpus whose passages depend on folders adds them in `passage_identity`, as documents/ does. The
content of `corpus.questions` is in the key of questions and not in that of ingest.

Rules: passages and their order never depend on the seed, so that runs with other seeds share them. The splits, and the
questions that `max_items` selects, may depend on it. Ids are unique. Each question names its gold passages by id, and
has the split train, validation or test; a study needs train and test questions. Wrong input raises `DataError` with
file, place, field and remedy.

Helpers: readers of JSON, JSON lines, parquet, hub and web files in readers/; a sentence splitter in sentences.py;
seeded shares in shares.py.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import Field

from raft_exp.core import words
from raft_exp.core.records import Passage, Question
from raft_exp.corpora.almanac import Almanac, AlmanacConfig
from raft_exp.corpora.apibench import Apibench, ApibenchConfig
from raft_exp.corpora.documents import Documents, DocumentsConfig
from raft_exp.corpora.hotpotqa import Hotpotqa, HotpotqaConfig
from raft_exp.corpora.natural_questions import NaturalQuestions, NaturalQuestionsConfig
from raft_exp.corpora.origin import Origin
from raft_exp.corpora.passages import PassagesConfig, ReadyPassages
from raft_exp.corpora.pubmedqa import Pubmedqa, PubmedqaConfig
from raft_exp.corpora.split_units import FEW_DOCUMENTS, setting_of
from raft_exp.corpora.triviaqa import Triviaqa, TriviaqaConfig


class Corpus(Protocol):
    """The members of a corpus that the stages `ingest` and `questions` use.

    Passages and questions are streamed in a fixed order, so that the source may be larger than memory.

    Optional members:

    - `origin: ClassVar[Origin]`: source and licence, for the card of an exported dataset.
    - `report`: an object with `as_dict()`, which the stage ingest writes to ingest_report.json, and `remarks()`, whose
      lines it prints.
    - `repeated: dict[str, list[str]]`: {document id: ids of earlier passages whose text this document repeats}.
    - `passage_identity() -> dict`: values for the key of ingest, in addition to `passage_settings` and the content of
      `files`.
    - `shares_gold: ClassVar[bool]`: whether the published splits share gold passages.
    - `any_language: ClassVar[bool]`: True for a user's own texts (`core.words`).
    - `document_count(most) -> int`: the number of documents, at most `most`; for corpora with a setting `split`.
    """

    passage_settings: ClassVar[tuple[str, ...]]  # the fields of the config that change the passages
    counts: Counter[str]  # written to counts.json: "records", "without_context", ...; filled while streaming

    def files(self) -> list[Path]:
        """Returns the local input files of passages and questions, without `corpus.questions`.

        An entry may be a folder, for a corpus of very many files (triviaqa/): it stands for all files in it and below.
        Returns [] for data from the hub. The names and the content of the files are part of the keys of ingest and
        questions. Raises DataError if a file is missing.
        """

    def passages(self) -> Iterator[Passage]:
        """Yields every passage once."""

    def questions(self) -> Iterator[Question]:
        """Yields every question once, with its split."""


CorpusConfig = Annotated[
    AlmanacConfig
    | PubmedqaConfig
    | HotpotqaConfig
    | NaturalQuestionsConfig
    | TriviaqaConfig
    | ApibenchConfig
    | PassagesConfig
    | DocumentsConfig,
    Field(discriminator="name"),
]

CORPORA: dict[str, Callable[[Any, int], Corpus]] = {
    "almanac": Almanac,
    "pubmedqa": Pubmedqa,
    "hotpotqa": Hotpotqa,
    "natural_questions": NaturalQuestions,
    "triviaqa": Triviaqa,
    "apibench": Apibench,
    "passages": ReadyPassages,
    "documents": Documents,
}


def open_corpus(config: CorpusConfig, seed: int = 0) -> Corpus:
    """Returns the corpus `config.name`, built with the settings and the seed of the study."""
    return CORPORA[config.name](config, seed)


def passage_identity(config: CorpusConfig, corpus: Corpus) -> dict[str, object]:
    """Returns the values of a corpus for the key of ingest: its `passage_settings` and its `passage_identity`.

    For a user's own texts (`any_language`), the version of `core.words` is added.
    """
    more: Callable[[], dict[str, object]] = getattr(corpus, "passage_identity", dict)
    by_words: dict[str, object] = {"words": words.version()} if any_language(config) else {}
    return {name: getattr(config, name) for name in corpus.passage_settings} | more() | by_words


def any_language(config: CorpusConfig) -> bool:
    """Whether a corpus has a user's own texts, in any language.

    `text.normalise` compares a user's own texts. `text.plain_words` compares the texts of published datasets, so that
    the results of these datasets do not change.
    """
    return bool(getattr(CORPORA[config.name], "any_language", False))


def may_have_few_documents(config: CorpusConfig, corpus: Corpus) -> bool:
    """Whether `corpus.split` is `auto` and the corpus counts fewer than FEW_DOCUMENTS documents."""
    counted: Callable[[int], int] | None = getattr(corpus, "document_count", None)
    return setting_of(config) == "auto" and counted is not None and counted(FEW_DOCUMENTS) < FEW_DOCUMENTS


def shares_gold(config: CorpusConfig) -> bool:
    """Whether the published splits of a corpus share gold passages, for example pages of Wikipedia."""
    return bool(getattr(CORPORA[config.name], "shares_gold", False))


def origin(config: CorpusConfig) -> Origin:
    """Returns the source and the licence of a corpus; an empty `Origin` if the class of the corpus has none."""
    source: Origin = getattr(CORPORA[config.name], "origin", Origin())
    return source
