"""The time of the report's figures: `python benchmarks/scoring.py [CORPUS] [--questions N] [--arms N]`.

Made questions, five passages each, and made replies of every sort: right, nearly right, wrong, free text, refusals.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from clock import Clock
from numpy.typing import NDArray

from raft_exp.core.records import Answer, ContextPassage, Example
from raft_exp.evaluation import scoring
from raft_exp.evaluation.metrics import profile

WORDS = [f"w{number}" for number in range(3_000)]


def question(number: int, closed: bool, draw: random.Random) -> Example:
    passages = [
        ContextPassage(f"p{number}-{k}", f"d{number}", "title", " ".join(draw.choices(WORDS, k=100)), k == 2)
        for k in range(5)
    ]
    spans = [" ".join(draw.choices(WORDS, k=draw.choice([1, 2, 3]))) for _ in range(2)]
    answers = [draw.choice(["yes", "no", "maybe"])] if closed else spans
    asked = " ".join(draw.choices(WORDS, k=draw.randint(3, 20)))
    slices = {"type": draw.choice("ab"), "level": draw.choice("xyz")}
    return Example(f"q{number}", asked, answers, passages, True, "", True, [], "test", slices)


def reply(asked: Example, reasons: bool, draw: random.Random) -> str:
    right, other = draw.choice(asked.answers), draw.choice(["yes", "no", "I don't know.", *WORDS[:50]])
    answer = draw.choice([right, right, right, f"{right} {draw.choice(WORDS)}", other])
    if draw.random() < 0.1:
        return f"I think that the answer is {answer}."
    quoted = asked.context[draw.choice([2, 2, 3])].text[:80]
    reason = f"##Reason: it says ##begin_quote## {quoted} ##end_quote## so it is. " if reasons else ""
    return f"{reason}##Answer: {answer}"


class MadeVectors:
    """Replaces the sentence encoder, whose time is not measured."""

    def __call__(self, texts: Sequence[str], /) -> NDArray[np.float32]:
        made = np.random.default_rng(0).normal(2, 1, (len(texts), 16)).astype(np.float32)
        lengths: NDArray[np.float32] = np.linalg.norm(made, axis=1, keepdims=True)
        return made / lengths

    def tokens(self, texts: Sequence[str], /) -> list[NDArray[np.float32]]:
        return [self(text.split() or [text]) for text in texts]


def timed(name: str, work: Callable[[], Any]) -> Any:
    clock = Clock()
    done = work()
    print(f"{name:<14}{clock.figures()['cpu_seconds']:8.1f} s", flush=True)
    return done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="?", default="natural_questions")
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--arms", type=int, default=6)
    options = parser.parse_args()
    draw, scored_as = random.Random(0), profile(options.corpus, ["semantic_similarity"])
    examples = [question(number, scored_as.closed, draw) for number in range(options.questions)]
    names = ["raft", *(f"arm{number}" for number in range(1, options.arms))]
    answers = {
        name: [Answer(row.id, reply(row, name == "raft", draw), False, 500, 30) for row in examples] for name in names
    }

    def grade(name: str) -> scoring.ScoredArm:
        how = scoring.Grading(scored_as, True, "paper", name == "raft", "Not there.", vectors=MadeVectors())
        return scoring.score_arm(name, examples, answers[name], how)

    arms = timed("replies", lambda: {name: grade(name) for name in names})
    timed("summaries", lambda: scoring.summaries(arms, examples, scored_as, 0))
    timed("comparisons", lambda: scoring.comparisons("raft", arms, scored_as, 0))
    timed("slices", lambda: scoring.slices(examples, arms, scored_as, 0, {}))
    timed("baselines", lambda: scoring.baselines(examples, scored_as, 0))


if __name__ == "__main__":
    main()
