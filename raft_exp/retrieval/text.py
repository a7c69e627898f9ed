"""The text of a passage that a search compares with the question."""

from raft_exp.core.records import Passage


def searched_text(passage: Passage) -> str:
    """Title and text, for bm25 and dense alike."""
    return f"{passage.title} {passage.text}"
