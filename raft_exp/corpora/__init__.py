"""Corpora: where documents and questions come from. A new one is one file here and one line in CORPORA.

A corpus is built from its config and a seed. Its passages never depend on the seed (so runs with other seeds share
them); splits and `max_items` may.
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
    """What the ingest and questions stages ask of a corpus. Both streams have a fixed order and flat memory."""

    passage_settings: ClassVar[tuple[str, ...]]  # the settings that change passages; the others change questions alone
    counts: Counter[str]  # filled while streaming: "records", "without_context", ...

    def files(self) -> list[Path]:
        """The local files whose content decides the result; [] for a hub. DataError when they are missing."""

    def passages(self) -> Iterator[Passage]:
        """Every passage once."""

    def questions(self) -> Iterator[Question]:
        """Every question with its split."""


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


def open_corpus(config: Any, seed: int = 0) -> Corpus:
    """The corpus that a config names."""
    return CORPORA[config.name](config, seed)


def passage_identity(config: Any, corpus: Corpus) -> dict[str, Any]:
    """What decides the passages, beside the content of `files`; a corpus may have more than settings to say."""
    more: Callable[[], dict[str, Any]] = getattr(corpus, "passage_identity", dict)
    return {name: getattr(config, name) for name in corpus.passage_settings} | more()


def origin(config: Any) -> Origin:
    """Where a corpus comes from, as far as its class says (`origin`)."""
    found: Origin = getattr(CORPORA[config.name], "origin", Origin())
    return found
