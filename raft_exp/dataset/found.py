"""The search for the passages of contexts, divided into shards (`spread.tasks`).

A shard has some of the questions. For each question, its task writes the passages that may stand in the context, and
the counts of rejected passages. The join then makes the same rows as a single process, with a ranker that reads these
passages instead of a search.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path

from raft_exp.core.errors import DataError
from raft_exp.core.progress import track
from raft_exp.core.records import Question, append_complete_lines, dumps, read_jsonl
from raft_exp.core.shards import Shard
from raft_exp.dataset.recipes import ContextChooser
from raft_exp.retrieval import searches
from raft_exp.retrieval.ranking import Ranker

FOUND = "found.jsonl"  # the file of a shard: a `FoundPassages` for each of its questions
Coming = Callable[[], Iterator[Question]]  # each call streams the questions in the order of the search


@dataclass(frozen=True)
class FoundPassages:
    """The passages for a question, as ordinals in the order of their ranking."""

    id: str  # of the question
    passages: list[int]
    rejected: dict[str, int]  # rule -> number of passages that it rejected


@dataclass(frozen=True)
class SearchedSplit:
    """The questions of a split, and the search for their passages."""

    questions: Coming
    total: int  # number of questions
    chooser: Callable[[Coming], ContextChooser]  # a stream of questions -> the function that finds their passages


def is_search(sources: Iterable[str]) -> bool:
    """Whether one of these sources of passages compares each question with all passages (bm25, dense, hybrid)."""
    return bool(searches(sources) & {"bm25", "dense"})


def search(splits: Iterable[SearchedSplit], shard: Shard, rejected: Counter[str], out: Path) -> None:
    """Appends the passages of the shard's questions to the file FOUND. Continues the file of a killed task.

    `rejected`: the counter of the rejected passages, which is emptied before each question.
    """
    splits = list(splits)
    rows = shard.rows(sum(split.total for split in splits))
    done = append_complete_lines(out / FOUND)
    rows, start = rows[done:], 0
    with (out / FOUND).open("a", encoding="utf-8", newline="\n") as lines:
        for split in splits:
            first, last = max(rows.start, start) - start, min(rows.stop, start + split.total) - start
            start += split.total
            if first >= last:
                continue
            own: Coming = partial(_part, split.questions, first, last)
            choose = split.chooser(own)
            for question in track(own(), "searching", last - first):
                rejected.clear()
                found = choose(question)
                lines.write(dumps(FoundPassages(question.id, found, dict(rejected))) + "\n")


def _part(questions: Coming, first: int, last: int) -> Iterator[Question]:
    return islice(questions(), first, last)


def found_ranker(shards: Sequence[Path], rejected: Counter[str]) -> Ranker:
    """Returns a ranker of the passages that the shards found. Adds their counts of rejected passages to `rejected`.

    The questions must be ranked in the order of the shards; questions may be left out. The ranker raises DataError for
    a question that is out of order or that no shard has searched.
    """
    rows = chain.from_iterable(read_jsonl(folder / FOUND, FoundPassages) for folder in shards)

    def rank(question: Question) -> Iterator[int]:
        row = next((row for row in rows if row.id == question.id), None)
        if row is None:
            raise DataError(f"question {question.id!r}: no task searched for its passages; run the same command again")
        rejected.update(row.rejected)
        return iter(row.passages)

    return rank
