"""Corpora: the sources of passages and questions.

To add a corpus named `notes`:

1. Write raft_exp/corpora/notes.py with two classes. `NotesConfig`, marked with `@config_dataclass`, holds the settings;
   its first field is `name: Literal["notes"]`. Mark a path as `Runtime[str]`: then the content of the file decides
   whether stages run again, not its place. `Notes(config, seed)` has the members of the protocol `Corpus` below.
2. In this file, import both, add `NotesConfig` to the union `CorpusConfig` and `"notes": Notes` to `CORPORA`.
3. Write conf/corpus/notes.yaml with a value for each field of `NotesConfig`, beginning with `name: notes`.

Now `python -m raft_exp corpus=notes` runs a study of it. Metrics are those of NQ-open (exact match and F1) unless
`PROFILES` in raft_exp/evaluation/metrics has an entry for the name. A short example to copy is passages.py; readers of
JSON, JSON lines, parquet, hub and web files are in readers/, a sentence splitter in sentences.py.

Rules: passages and their order never depend on the seed (runs with other seeds share them); splits and `max_items`
may. Ids are unique. Each question names its gold passages by id, and has the split train, validation or test; a study
needs train and test questions. Wrong input raises `DataError` with file, place, field and remedy.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import Field

from raft_exp.core.records import Passage, Question
from raft_exp.corpora.almanac import Almanac, AlmanacConfig
from raft_exp.corpora.documents import Documents, DocumentsConfig
from raft_exp.corpora.hotpotqa import Hotpotqa, HotpotqaConfig
from raft_exp.corpora.natural_questions import NaturalQuestions, NaturalQuestionsConfig
from raft_exp.corpora.origin import Origin
from raft_exp.corpora.passages import PassagesConfig, ReadyPassages
from raft_exp.corpora.pubmedqa import Pubmedqa, PubmedqaConfig


class Corpus(Protocol):
    """The members that the ingest and questions stages use. Both streams have a fixed order, and read their source as
    they go rather than hold it in memory.

    Optional members: `origin: ClassVar[Origin]`, source and licence for the card of an exported data set; `report`,
    with an `as_dict()`, which ingest writes to ingest_report.json; `passage_identity() -> dict`, more values that
    decide the passages.
    """

    passage_settings: ClassVar[tuple[str, ...]]  # fields of the config that change passages; others change questions
    counts: Counter[str]  # written to counts.json: "records", "without_context", ...; filled while streaming

    def files(self) -> list[Path]:
        """The local input files, whose content is part of the stage keys; [] for a hub. Raises DataError when one is
        missing.
        """

    def passages(self) -> Iterator[Passage]:
        """Every passage once."""

    def questions(self) -> Iterator[Question]:
        """Every question once, with its split."""


CorpusConfig = Annotated[
    AlmanacConfig | PubmedqaConfig | HotpotqaConfig | NaturalQuestionsConfig | PassagesConfig | DocumentsConfig,
    Field(discriminator="name"),
]

CORPORA: dict[str, Callable[[Any, int], Corpus]] = {
    "almanac": Almanac,
    "pubmedqa": Pubmedqa,
    "hotpotqa": Hotpotqa,
    "natural_questions": NaturalQuestions,
    "passages": ReadyPassages,
    "documents": Documents,
}


def open_corpus(config: CorpusConfig, seed: int = 0) -> Corpus:
    """Builds the corpus that `config.name` names."""
    return CORPORA[config.name](config, seed)


def passage_identity(config: CorpusConfig, corpus: Corpus) -> dict[str, object]:
    """The values that decide the passages beside the content of `files`: settings, and what the corpus adds to them."""
    more: Callable[[], dict[str, object]] = getattr(corpus, "passage_identity", dict)
    return {name: getattr(config, name) for name in corpus.passage_settings} | more()


def origin(config: CorpusConfig) -> Origin:
    """Source and licence of a corpus; empty where its class gives none."""
    source: Origin = getattr(CORPORA[config.name], "origin", Origin())
    return source
