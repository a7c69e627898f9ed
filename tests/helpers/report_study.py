"""A made study for the report stage, on a temporary folder."""

import json
from pathlib import Path
from typing import Any

from raft_exp.core.records import Answer, ContextPassage, Example, write_jsonl
from raft_exp.evaluation.results import Results
from raft_exp.reporting.stage import ReportStage, report

HOSTILE = """<script>alert('x')</script> "quoted" | `code` *b* & {{ 7*7 }}"""
ARMS: dict[str, dict[str, Any]] = {
    "base": {"recipe": "none", "context": "none"},
    "rag": {"recipe": "none", "context": "passages"},
    "raft": {"recipe": "raft", "context": "passages"},
}


def example(index: int, answer: str = "yes", **changes: Any) -> Example:
    context = [
        ContextPassage(f"g{index}", f"d{index}", "Title", "The drug\n helped all   patients.", True),
        ContextPassage(f"x{index}", "other", "Title", "Mice do not talk.", False),
    ]
    row = {"id": f"q{index}", "question": "Does it help?", "answers": [answer], "context": context, "has_gold": True}
    rest = {"target": "", "target_grounded": True, "messages": [], "split": "test", "slices": {}}
    return Example(**{**row, **rest, **changes})


def answered(row: Example, raw: str, *, truncated: bool = False) -> Answer:
    return Answer(row.id, raw, truncated, prompt_tokens=10, new_tokens=5)


class Study:
    """The folders of a made study; `run` gives back the folder that the stage wrote."""

    def __init__(self, root: Path, examples: list[Example]) -> None:
        self.root, self.examples = root, examples
        self.replies: dict[str, list[Answer]] = {}
        self.config: dict[str, Any] = {"study": "A study", "note": "", "corpus": "pubmedqa", "model": "tiny", "seed": 0}
        self.config |= {"reply_format": "paper", "refusal": "Not there.", "metrics": [], "encoder": None}
        self.config |= {"conditions": {}}
        self.config |= {"arms": ARMS, "settings": {"dataset": {"p": 0.8}}}
        (root / "raft_data").mkdir(parents=True)
        (root / "adapter").mkdir()
        self.audit(HOSTILE)

    def audit(self, text: str) -> None:
        (self.root / "raft_data" / "audit.json").write_text(json.dumps({"rows": 3, text: {"share": 0.5, "of": text}}))

    def say(self, arm: str, *labels: str) -> None:
        replies = zip(self.examples, labels, strict=False)
        self.replies[arm] = [answered(row, f"##Answer: {label}") for row, label in replies]

    passages: Path | None = None

    def run(self, name: str = "out", conditions: dict[str, Path] | None = None, **more: Any) -> Path:
        """Runs the stage. `more`: further inputs of it."""
        test, out = self.root / "test", self.root / name
        for folder in (test, out):
            folder.mkdir(exist_ok=True)
        write_jsonl(test / "rows.jsonl", self.examples)
        for arm, replies in self.replies.items():
            (self.root / f"answers_{arm}").mkdir(exist_ok=True)
            write_jsonl(self.root / f"answers_{arm}" / "answers.jsonl", replies)
        report(
            ReportStage(**self.config),
            conditions=conditions or {},
            test=test,
            answers={arm: self.root / f"answers_{arm}" for arm in self.replies},
            datasets={"raft": self.root / "raft_data"},
            adapters={"raft": self.root / "adapter"},
            passages=self.passages,
            out=out,
            **more,
        )
        return out


def results(folder: Path) -> Results:
    found: Results = json.loads((folder / "results.json").read_text())
    return found
