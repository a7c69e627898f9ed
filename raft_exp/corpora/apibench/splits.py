"""Splits of APIBench. Draws depend only on (seed, question), so smaller samples are subsets of larger ones.

Test questions are those of the test files, or a random share for a hub with one file of questions. A question is not
used for training if a test or validation question has the same words, or nearly the same words and the same call: a
model wrote the questions of the data set, and many of them differ in a few words only.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from raft_exp.core.api_calls import ApiCall, documented
from raft_exp.core.sampling import HashSample, subsample
from raft_exp.core.shingles import units
from raft_exp.core.text import plain_words
from raft_exp.core.wording import wording
from raft_exp.corpora.apibench.lines import Line
from raft_exp.corpora.shares import draw_share


def assign(
    lines: Sequence[Line],
    seed: int,
    counts: Counter[str],
    *,
    test_share: float,
    validation_share: float,
    max_items: int | None,
) -> dict[str, str]:
    """Returns {id of a line: train, validation or test}, in the order of the lines. Unused lines are missing.

    Enters the numbers of lines removed from training into `counts`.
    """
    drawn = _draw((line for line in lines if line.is_alone), test_share, seed, "apibench test")
    test = [line for line in lines if line.is_test or (line.is_alone and plain_words(line.instruction) in drawn)]
    counts["seeded_split"] = int(any(line.is_alone for line in lines))
    rest = _others(lines, test)
    clean = _unlike(rest, test)
    sample = _draw(clean, validation_share, seed, "apibench validation")
    validation = [line for line in clean if plain_words(line.instruction) in sample]
    train = _unlike(learnable := _others(clean, validation), validation)
    counts["test_questions_removed_from_train"] = len(rest) - len(clean)
    counts["validation_questions_removed_from_train"] = len(learnable) - len(train)
    chosen = subsample((line.id for line in train), max_items, seed)
    splits = dict.fromkeys((line.id for line in test), "test") | dict.fromkeys((v.id for v in validation), "validation")
    splits |= {line.id: "train" for line in train if line.id in chosen}
    return {line.id: splits[line.id] for line in lines if line.id in splits}


def _draw(lines: Iterable[Line], share: float, seed: int, purpose: str) -> HashSample:
    """Draws a share of the instructions. Lines with the same words are drawn together."""
    return draw_share(dict.fromkeys(plain_words(line.instruction) for line in lines), share, seed, purpose)


def _others(lines: Iterable[Line], removed: Iterable[Line]) -> list[Line]:
    ids = {line.id for line in removed}
    return [line for line in lines if line.id not in ids]


def _unlike(lines: Iterable[Line], held_out: Iterable[Line]) -> list[Line]:
    """Leaves out lines with the same words as a held-out line, or with its call and nearly the same words."""
    words, of_call = set[str](), defaultdict[tuple[str, ApiCall], list[list[str]]](list)
    for line in held_out:
        words.add(plain_words(line.instruction))
        of_call[_asked(line)].append(units(line.instruction))

    def is_like(line: Line) -> bool:
        near, own = of_call.get(_asked(line), ()), units(line.instruction)
        return plain_words(line.instruction) in words or any(wording(own, other) != "other" for other in near)

    return [line for line in lines if not is_like(line)]


def _asked(line: Line) -> tuple[str, ApiCall]:
    return line.hub, documented(line.call)
