"""Finds the documentation that answers a question of APIBench.

The gold passage is the documentation whose fields all equal those in the line of the question (`api_data`). If there
is none, it is the documentation of the same call, or else the one with the same name and description. Many APIs have
several documents (TensorFlow Hub: 80 calls on 696 lines). Other documents with the gold call are neither gold nor
distractors.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable

from raft_exp.core.api_calls import ApiCall, documented
from raft_exp.corpora.apibench.documentation import Document, call_sentence, one_line
from raft_exp.corpora.apibench.lines import Line
from raft_exp.corpora.readers.json_records import Row


class GoldDocuments:
    """Finds documentation by content, by call, and by name and description.

    `counts`: the numbers of documents, of different calls, and of documents that repeat another one.
    """

    def __init__(self, documents: Iterable[Document]) -> None:
        self._whole: dict[str, list[str]] = defaultdict(list)
        self._calls: dict[tuple[str, ApiCall], list[str]] = defaultdict(list)
        self._described: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._sentences: dict[str, int] = {}
        self._words: set[tuple[str, str]] = set()
        for document in documents:
            name = document.passage.id
            self._whole[_content(document.hub, document.row)].append(name)
            self._calls[document.hub, documented(document.call)].append(name)
            self._described[document.hub, _description(document.row)].append(name)
            self._sentences[name] = call_sentence(document.passage)
            self._words.add((document.hub, document.call))
        self.counts = Counter(
            api_documents=len(self._sentences),
            api_calls=len(self._words),
            api_repeated_documents=len(self._sentences) - len(self._whole),
        )

    def call_sentence(self, name: str) -> int:
        """Returns the number of the sentence that has the call. `name`: the passage id of the documentation."""
        return self._sentences[name]

    def of(self, line: Line, counts: Counter[str]) -> tuple[list[str], list[str]]:
        """Returns (ids of a question's gold documents, ids of other documents with the same call). Both may be [].

        Adds the way in which the documents were found to `counts`.
        """
        same_call = self._calls.get((line.hub, documented(line.call)), [])
        described = self._described.get((line.hub, _description(line.data)), [])
        if whole := self._whole.get(_content(line.hub, line.data)):
            gold = whole[:1]
        else:
            gold = [name for name in same_call if name in described] or same_call[:1] or described[:1]
            counts["api_gold_by_call" if set(gold) & set(same_call) else "api_gold_by_name"] += bool(gold)
        others = [name for name in same_call if name not in gold]
        counts["odd_call_not_in_documentation"] += (line.hub, line.call) not in self._words
        counts["api_questions_without_document"] += not gold
        counts["api_questions_with_several_documents"] += len(gold) + len(others) > 1
        return gold, others


def _content(hub: str, row: Row) -> str:
    return hub + json.dumps(row, sort_keys=True)


def _description(row: Row) -> str:
    return "\n".join((one_line(row.get("api_name")), one_line(row.get("description"))))
