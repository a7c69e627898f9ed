"""From questions and passages to chosen contexts, beside the loop of the published PubMedQA notebook."""

import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from clock import Clock

from raft_exp.core import collection as passages
from raft_exp.core.collection import Passages
from raft_exp.core.records import Passage, Question, Target, write_jsonl
from raft_exp.corpora import pools
from raft_exp.dataset.recipes import QuestionTargets, RaftRecipe
from raft_exp.retrieval import Rankers
from raft_exp.retrieval.filters import DistractorFilter

P, DISTRACTORS = 0.7, 3  # the notebook's


def real(folder: Path) -> Iterator[dict[str, Any]]:
    """PubMedQA's labelled records, with the fields of the hub's data set that the notebook reads."""
    for name, record in json.loads((folder / "pubmedqa" / "ori_pqal.json").read_text()).items():
        yield {"pubid": name, "question": record["QUESTION"], "context": {"contexts": record["CONTEXTS"]}}


def made(count: int) -> Iterator[dict[str, Any]]:
    """Articles of three sections."""
    words = "the cells of patients were compared with those of a group without treatment " * 5
    for number in range(count):
        sections = [f"Section {part} of article {number}: {words}" for part in range(3)]
        yield {"pubid": f"a{number}", "question": f"What of {number}?", "context": {"contexts": sections}}


def prepare(folder: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Writes the rows as each side reads them: a `datasets` object, and the files of our stages."""
    import datasets

    rows = list(rows)
    datasets.Dataset.from_list(rows).save_to_disk(str(folder / "hub"))
    passages.write_passages(folder, (passage for row in rows for passage in _sections(row)))
    gold = ([passage.id for passage in _sections(row)] for row in rows)
    asked = [Question(r["pubid"], r["question"], ["yes"], names, "train") for r, names in zip(rows, gold, strict=True)]
    write_jsonl(folder / "questions.jsonl", asked)
    write_jsonl(folder / "targets.jsonl", (Target(question.id, "yes") for question in asked))
    return len(rows)


def _sections(row: dict[str, Any]) -> Iterator[Passage]:
    for part, text in enumerate(row["context"]["contexts"]):
        yield Passage(f"{row['pubid']}#{part}", row["pubid"], "", text, "", [text], "")


def ours(folder: Path, most: int) -> dict[str, Any]:
    """The raft recipe's choice for all questions: gold or not, distractors, order."""
    start = Clock()
    collection, source = Passages(folder), QuestionTargets(folder, folder)
    guards = DistractorFilter(collection, same_document=False, answer_allowed=False)
    pool = pools.pool(pools.document_splits(collection, source.all_questions()), "train")
    rank = Rankers(guards, seed=0).ranker("random", None, pool, lambda: source.of("train"))
    recipe = RaftRecipe(
        p=P,
        num_distractors=DISTRACTORS,
        constant_size=False,
        partial_gold=False,
        no_gold_target="answer",
        refusal="",
        allow_fewer=False,
        seed=0,
    )
    kept = source.sample("train", None, 0)
    rows = sum(1 for _ in recipe.specs(source, "train", kept, guards, rank, len(pool)))
    return {"rows": rows, **start.figures()}


def notebook(folder: Path, most: int) -> dict[str, Any]:
    """The notebook's loop over the first `most` questions; every question draws from all sections."""
    import datasets

    table = datasets.load_from_disk(str(folder / "hub"))
    start = Clock()
    generator = random.Random(0)
    sections = [(name, text) for row in table for name, text in _named(row)]
    once, rows = start.figures(), []
    for number in range(min(most, len(table))):
        row = table[number]
        others = [text for name, text in sections if name != row["pubid"]]
        context = generator.sample(others, DISTRACTORS)
        if generator.random() < P:
            context += row["context"]["contexts"]
        generator.shuffle(context)
        rows.append({"question": row["question"], "context": context})
    share = len(rows) / len(table)
    scaled = {name: once[name] + (value - once[name]) / share for name, value in start.figures().items()}
    return {"rows": len(rows), **scaled, "of": len(table)}


def _named(row: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["pubid"], text) for text in row["context"]["contexts"]]


CONTENDERS = {"raft_exp": ours, "notebook": notebook}
