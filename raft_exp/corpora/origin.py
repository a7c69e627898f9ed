"""Source and licence of a corpus, for the card of an exported data set."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """`licence` is an identifier of the Hugging Face hub (mit, cc-by-4.0, ...), "" where unknown."""

    source: str = ""
    licence: str = ""
