"""What of a passage is searched."""

from raft_exp.core.records import Passage


def searched(passage: Passage) -> str:
    """Title and text: the same for every method."""
    return f"{passage.title} {passage.text}"
