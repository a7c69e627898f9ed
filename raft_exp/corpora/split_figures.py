"""Counts what test questions share with the training data, for the unit by which the questions are split."""

from collections.abc import Callable, Iterator

from raft_exp.core.audit import SplitChoice
from raft_exp.core.collection import Passages
from raft_exp.core.records import Question
from raft_exp.corpora import pools
from raft_exp.corpora.split_units import Setting, SplitBy


def split_choice(
    by: SplitBy, setting: Setting, drawn: bool, collection: Passages, questions: Callable[[], Iterator[Question]]
) -> SplitChoice:
    """Returns the content of split.json.

    `drawn`: whether a split was drawn. `collection`: the passages with the units of `by`. `questions`: streams the
    questions of the study.
    """
    owners = pools.document_splits(collection, questions())
    documents, units = set[int](), set[int]()
    trained_documents, trained_gold = set[int](), set[int]()
    tested: list[list[int]] = []
    for question in questions():
        gold = [collection.find(name) for name in question.gold]
        documents.update(int(collection.documents[at]) for at in gold)
        units.update(int(collection.units[at]) for at in gold)
        if question.split == "train":
            trained_documents.update(int(collection.documents[at]) for at in gold)
            trained_gold.update(gold)
        if question.split == "test":
            tested.append(gold)

    def beside_training(at: int) -> bool:
        sentences = _sentences(collection, at)
        neighbours = (other for other in (at - 1, at + 1) if 0 <= other < len(collection))
        shown = (
            other for other in neighbours if owners[other] <= 1 and collection.units[other] != collection.units[at]
        )
        return any(sentences & _sentences(collection, other) for other in shown)

    return {
        "by": by,
        "setting": setting,
        "drawn": drawn,
        "documents": len(documents),
        "units": len(units),
        "test_questions": len(tested),
        "of_trained_documents": sum(
            any(int(collection.documents[at]) in trained_documents for at in gold) for gold in tested
        ),
        "with_trained_gold": sum(not trained_gold.isdisjoint(gold) for gold in tested),
        "beside_training": sum(any(map(beside_training, gold)) for gold in tested),
    }


def _sentences(collection: Passages, at: int) -> set[str]:
    """Returns the sentences of a passage, each with its document, so that equal sentences of two documents differ."""
    passage = collection[at]
    return {f"{passage.document_id}|{stripped}" for sentence in passage.sentences if (stripped := sentence.strip())}
