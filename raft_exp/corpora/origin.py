"""Where a corpus comes from: what the card of a data set that is made of it says."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """`licence` in the hub's words (mit, cc-by-4.0, ...); "" where nobody has said."""

    source: str = ""
    licence: str = ""
