"""The text of a passage that bm25, dense search and the cross-encoder compare with the question."""

from raft_exp.core.records import Passage


def searched_text(passage: Passage) -> str:
    """Returns the passage's title and text, with a space between them."""
    return f"{passage.title} {passage.text}"
