"""Groups of documents that must share a split, so that training shows no text of a test question.

If questions are split by smaller units (`split_units.py`), these units take the place of documents.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator

import numpy as np

from raft_exp.core.collection import Passages
from raft_exp.core.near_copies import is_boilerplate, near_copies_within
from raft_exp.core.shingles import Shingles, shingles, text_hash, units


class DocumentGroups:
    """Groups of documents (union-find). The smallest document hash of a group identifies the group."""

    def __init__(self) -> None:
        self._parents: dict[int, int] = {}

    def __contains__(self, document: object) -> bool:
        return document in self._parents

    def of(self, document: int) -> int:
        """Returns the group of a document. A new document becomes a group of its own."""
        path = []
        while (parent := self._parents.setdefault(document, document)) != document:
            path.append(document)
            document = parent
        self._parents.update(dict.fromkeys(path, document))
        return document

    def join(self, documents: Iterable[int]) -> int:
        """Merges the groups of the documents (at least one); returns the merged group."""
        groups = {self.of(document) for document in documents}
        group = min(groups)
        self._parents.update(dict.fromkeys(groups, group))
        return group


def copied_documents(collection: Passages, documents: Container[int]) -> Iterator[set[int]]:
    """Yields sets of `documents` (or smaller units) that have passages with the same words, or near copies.

    Documents that have only boilerplate in common (`near_copies.is_boilerplate`) are not in one set.
    """
    sizes: dict[int, int] = {}  # hash of a text -> number of its words (`shingles.units`)
    owners: dict[int, set[int]] = defaultdict(set)  # hash of a text -> documents
    first: dict[int, int] = {}  # hash of a text -> its first passage
    for ordinal, passage in enumerate(collection):
        document = int(collection.units[ordinal])
        if document in documents:
            text_units = units(passage.text)
            words = text_hash(text_units)
            sizes[words] = len(text_units)
            owners[words].add(document)
            first.setdefault(words, ordinal)
    distinct = [words for words in first if not is_boilerplate(sizes[words], len(owners[words]))]
    yield from (owners[words] for words in distinct if len(owners[words]) > 1)
    chosen = {first[words] for words in distinct}

    def texts() -> Iterator[Shingles]:
        return (shingles(units(passage.text)) for ordinal, passage in enumerate(collection) if ordinal in chosen)

    documents_of = np.array([collection.units[first[words]] for words in distinct], dtype=np.uint64)
    for pair in near_copies_within(texts, documents_of):
        yield {int(documents_of[pair.first]), int(documents_of[pair.second])}
