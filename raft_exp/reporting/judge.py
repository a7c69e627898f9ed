"""Adds a judge's figures to the results of a study, and the judge's words to the predictions."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from raft_exp.evaluation.judge import figures
from raft_exp.evaluation.judge.rows import Judgement, read_judgements, read_pairs
from raft_exp.evaluation.judge.stage import SUMMARY, JudgeSummary, spent
from raft_exp.evaluation.results import JudgeResults, Prediction, Results, ShownJudgement

Save = Callable[[str, Sequence[Prediction]], None]  # writes the predictions of an arm


def add_judge(
    results: Results,
    judgements: Mapping[str, Path],
    pairs: Mapping[str, Path],
    rows: Mapping[str, Sequence[Prediction]],
    save: Save,
) -> None:
    """Adds the judge's figures to the results, and the judge's words to the predictions, which are saved again.

    Adds nothing if `judgements` and `pairs` are empty.

    `judgements`: arm -> result folder of its stage `judge`. `pairs`: "<a>|<b>" -> result folder of the stage
    `judge_pairs`. `rows`: arm -> its predictions.
    """
    folders = list(dict.fromkeys([*judgements.values(), *pairs.values()]))  # arms with the same stage share a folder
    if not folders:
        return
    read = {name: list(read_judgements(folder)) for name, folder in judgements.items()}
    for name, of_arm in read.items():
        _add_words(rows[name], of_arm)
        save(name, rows[name])
    results["judge"] = _figures(results, read, folders)
    for names, folder in pairs.items():
        a, _, b = names.partition("|")
        results["judge"]["pairs"].append(figures.judged_pair(a, b, list(read_pairs(folder)), results["seed"]))


def _add_words(rows: Sequence[Prediction], judgements: Sequence[Judgement]) -> None:
    words: dict[str, dict[str, ShownJudgement]] = {}
    for judgement in judgements:
        shown: ShownJudgement = {"value": judgement["value"], "words": judgement["words"]}
        if "missing" in judgement:
            shown["missing"] = judgement["missing"]
        words.setdefault(judgement["id"], {})[judgement["task"]] = shown
    for row in rows:
        row["judge"] = words.get(row["id"], {})


def _figures(results: Results, judgements: Mapping[str, Sequence[Judgement]], folders: Sequence[Path]) -> JudgeResults:
    summaries, seed = [_summary(folder) for folder in folders], results["seed"]
    values = {name: figures.by_task(rows) for name, rows in judgements.items()}
    claims = {task for summary in summaries for task in summary["claims"]}
    versions = {task: version for summary in summaries for task, version in summary["versions"].items()}
    tasks = {task: {arm: of_arm[task] for arm, of_arm in values.items() if task in of_arm} for task in versions}
    total = spent(summaries)
    return {
        "model": summaries[0]["model"],
        "tasks_versions": versions,
        "tasks": {
            task: {arm: figures.figure(of_arm, task, task in claims, seed) for arm, of_arm in arms.items()}
            for task, arms in tasks.items()
            if arms
        },
        "comparisons": [
            row
            for task, arms in tasks.items()
            for row in figures.comparisons(arms, results["reference"], task, task in claims, seed)
        ],
        "pairs": [],
        "replies": total["replies"],
        "prompt_tokens": total["prompt_tokens"],
        "new_tokens": total["new_tokens"],
        "cost": total["cost"],
    }


def _summary(folder: Path) -> JudgeSummary:
    summary: JudgeSummary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
    return summary
