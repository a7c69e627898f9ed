"""Source and licence of a corpus, for the card of an exported data set."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """Source and licence of a corpus.

    `licence`: an identifier of the Hugging Face hub (mit, cc-by-4.0, ...), or "" if unknown.
    """

    source: str = ""
    licence: str = ""
