"""How often `raft_exp.ask` is right: test questions of a finished run, asked as a user would, and the report's score.

python benchmarks/asking.py RUN [--items 200] [--model DIR] [--condition found]

The run needs a condition with retrieved passages: '+evaluation.conditions={found: {context: retrieved}}'.
"""

import argparse
import json
from collections import Counter
from itertools import islice
from pathlib import Path

from raft_exp.apps.ask.session import AskOptions, RagSession
from raft_exp.core.records import Example, Question, read_jsonl
from raft_exp.evaluation.metrics import METRICS, Graded, profile
from raft_exp.pipeline.run import FinishedRun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--model", help="an exported folder instead of the run's reference arm")
    parser.add_argument("--condition", default="found")
    chosen = parser.parse_args()
    print(json.dumps(measure(FinishedRun(chosen.run), chosen.items, chosen.model, chosen.condition), indent=1))


def measure(run: FinishedRun, items: int, model: str | None, condition: str) -> dict[str, object]:
    arm, _ = run.arm(None)
    scored_as = profile(run.config.corpus.name)
    metric = scored_as.metrics[0]
    observe = METRICS[metric].observe
    assert observe is not None, "every metric of answers observes one reply at a time"
    asker = RagSession(run, AskOptions(model=model))
    rows = list(islice(read_jsonl(run.path(f"dataset[test@{condition}]") / "rows.jsonl", Example), items))
    questions = {one.id: one for one in read_jsonl(run.path("questions") / "questions.jsonl", Question)}
    asked = {row.id: asker.prompt(row.id, questions[row.id].question) for row in rows}
    replies = {one.id: one for one in asker.engine.generate([one.request for one in asked.values() if one.request])}
    found, right = Counter[str](), list[float]()
    for row in rows:
        judged, prompt = asker.judge(asked[row.id], replies.get(row.id)), asked[row.id].request
        observed = observe(Graded(row.answers, judged.answer, "", scored_as.normalize))
        assert isinstance(observed, float), metric
        right.append(observed)
        gold = {one.rpartition("#")[0] or one for one in questions[row.id].gold}
        cited = {one.document_id for one in judged.citations if one.verbatim}
        found.update(
            same_prompt=int(prompt is not None and prompt.messages == row.messages),
            verbatim=int(bool(cited)),
            right_and_verbatim=int(bool(cited and right[-1])),
            right_and_all_cited_are_gold=int(bool(cited and right[-1] and cited <= gold)),
            verbatim_and_gold_found=int(bool(cited and row.has_gold)),
            cited_gold=int(bool(row.has_gold and cited & gold)),
        )
        found[f"verdict {judged.verdict}"] += 1
    score = run.results["conditions"][condition][arm]["metrics"][metric]
    return {"questions": len(rows), metric: sum(right) / len(right), "report": score, **dict(sorted(found.items()))}


if __name__ == "__main__":
    main()
