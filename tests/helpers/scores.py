"""Synthetic rows and replies, and the scores of an arm with them."""

from collections.abc import Sequence
from typing import Any

from raft_exp.core.records import Answer, ContextPassage, Example
from raft_exp.evaluation.metrics import profile
from raft_exp.evaluation.scoring import Grading, ScoredArm, score_arm

GOLD, OTHER = "The drug\n helped all   patients in Paris.", "Mice do not talk."


def asked(number: int, *answers: str, gold: bool = True, **changes: Any) -> Example:
    """Returns a row with a gold passage (or none) and a distractor."""
    context = [ContextPassage(f"g{number}", f"d{number}", "Title", GOLD, True)] if gold else []
    context.append(ContextPassage(f"x{number}", "other", "Title", OTHER, False))
    row = {"id": f"q{number}", "question": "Where was it?", "answers": list(answers), "context": context}
    rest = {"has_gold": gold, "target": "", "target_grounded": True, "messages": [], "split": "test", "slices": {}}
    return Example(**{**row, **rest, **changes})


def scored(examples: Sequence[Example], replies: Sequence[str | None], corpus: str = "own", **how: Any) -> ScoredArm:
    """Scores an arm with these replies, None for no reply; `how`: fields of `Grading`, and metrics and reference."""
    scored_as = profile(corpus, how.pop("metrics", ()), how.pop("reference", "answers"))
    answers = [
        Answer(example.id, raw, False, prompt_tokens=10 + place, new_tokens=len(raw.split()))
        for place, (example, raw) in enumerate(zip(examples, replies, strict=True))
        if raw is not None
    ]
    settings: dict[str, Any] = {"shown": True, "reply_format": "paper", "reasons": True, "refusal": "Not there."} | how
    return score_arm("made", examples, answers, Grading(scored_as, **settings))


def quoting(*quotes: str, answer: str = "Paris") -> str:
    """A reply in the paper's form with these quotes."""
    told = " ".join(f"##begin_quote## {quote} ##end_quote##" for quote in quotes)
    return f"##Reason: {told} ##Answer: {answer}"
