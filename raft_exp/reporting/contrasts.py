"""Lists what differs between two arms. A comparison of arms with several differences has several possible causes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from raft_exp.evaluation.results import ArmPair, Choice, Comparison, Results
from raft_exp.evaluation.selection import AS_WRITTEN, FEW_SHOT
from raft_exp.reporting.formats import p_text, points
from raft_exp.reporting.verdict import ArmSettings

Arm = Mapping[str, object]  # the settings of an arm

_TRAINING = "training"
_EQUAL_TARGETS = "with passages or without, with equal targets"
_OTHER_TARGETS = "passages and quotes, or question and answer alone"
_NAMED = ("recipe", "context", "cot", "dataset", "adapter", "engine", "trainer", "lora", "examples", "wording")

# Shipped arm -> the part of the difference raft minus rag that it isolates. The report names those that a study lacks.
ISOLATING = {
    "rag_cot": "training, at an equal prompt",
    "sft_rag": "RAFT's training rows against plain question-answer pairs",
    "oracle_sft": "the distractors and the reasoning of the training rows",
}


def contrasts(reference: str, arms: ArmSettings, selection: Mapping[str, Choice] | None = None) -> dict[str, list[str]]:
    """Returns {other arm: list of what differs between this arm and the reference arm}.

    `selection`: the choices made on validation questions, which include the chosen prompts of the arms.
    """
    asked = _with_chosen_prompts(arms, selection)
    return {name: list(_differences(asked[reference], arm)) for name, arm in asked.items() if name != reference}


def other_pairs(reference: str, arms: ArmSettings, selection: Mapping[str, Choice] | None = None) -> list[ArmPair]:
    """Returns what differs between the two arms of each pair that does not include the reference arm.

    In a pair, `a` is the later arm and `b` the earlier arm.
    """
    asked = _with_chosen_prompts({name: arm for name, arm in arms.items() if name != reference}, selection)
    pairs = combinations(asked, 2)
    return [
        {"a": later, "b": earlier, "differ": list(_differences(asked[later], asked[earlier]))}
        for earlier, later in pairs
    ]


def pair_words(results: Results) -> list[tuple[str, str]]:
    """Returns (name, phrase about what differs) for each pair of arms that does not include the reference arm.

    A name is "A minus B"; `in_words` makes the phrases. Pairs with one difference come first. The list is empty for
    results of older versions.
    """
    pairs = sorted(results.get("pairs", []), key=lambda pair: len(pair["differ"]) != 1)
    return [(f"{pair['a']} minus {pair['b']}", in_words(pair["differ"])) for pair in pairs]


def in_words(differ: Sequence[str]) -> str:
    """Returns a phrase about the differences of two arms: "isolates ..." for one, "mixes ... and ..." for several."""
    if len(differ) < 2:
        return f"isolates {differ[0]}" if differ else "compares equal settings"
    return f"mixes {_joined(differ)}"


def _with_chosen_prompts(arms: ArmSettings, selection: Mapping[str, Choice] | None) -> dict[str, Mapping[str, object]]:
    chosen = {name: choice["chosen"] for name, choice in (selection or {}).items() if choice["setting"] == "prompt"}
    return {name: {**arm, **_asked(chosen.get(f"{name}@prompt", AS_WRITTEN))} for name, arm in arms.items()}


def _asked(chosen: str) -> dict[str, object]:
    """Returns the settings of an arm's prompt that a chosen prompt candidate changes."""
    return {"wording": AS_WRITTEN, "examples": FEW_SHOT} if chosen == FEW_SHOT else {"wording": chosen}


def _differences(a: Arm, b: Arm) -> Iterator[str]:
    recipes = (a.get("recipe", "none"), b.get("recipe", "none"))
    of_reasoning = bool(a.get("cot")) != bool(b.get("cot"))
    if "none" in recipes:
        if recipes != ("none", "none") or a.get("adapter") != b.get("adapter"):
            yield _TRAINING
    else:
        taught = recipes[0] == recipes[1] and _learns_reasoning(a) != _learns_reasoning(b)
        if taught and of_reasoning:  # one thing: targets with reasoning, and the prompt that asks for it
            yield "the reasoning (in targets and prompt)"
            of_reasoning = False
        yield from _training(a, b, taught)
    yield from _passages(a, b)
    if of_reasoning:
        yield "a prompt that asks to quote"
    if a.get("wording") != b.get("wording"):
        yield "the wording of the prompt"
    if a.get("examples", 0) != b.get("examples", 0):
        yield "worked examples in the prompt"
    if a.get("engine") != b.get("engine"):
        yield "the engine and its model"
    if others := sorted(name for name in {*a, *b} - {*_NAMED} if a.get(name) != b.get(name)):
        yield ", ".join(others)


def _training(a: Arm, b: Arm, of_reasoning: bool) -> Iterator[str]:
    """Yields what differs between two trainings.

    `of_reasoning`: whether the caller names the difference in reasoning. If so, the setting `cot` is left out here.
    """
    if a.get("recipe") != b.get("recipe"):
        equal = _learns_reasoning(a) == _learns_reasoning(b)
        yield f"the training rows ({_EQUAL_TARGETS if equal else _OTHER_TARGETS})"
    elif changed := [name for name in _changed(a, b, ("dataset",)) if name != "cot" or not of_reasoning]:
        yield f"the training rows ({', '.join(changed)})"
    if changed := _changed(a, b, ("trainer", "lora")):
        yield f"the training settings ({', '.join(changed)})"


def _learns_reasoning(arm: Arm) -> bool:
    """Whether the targets of a trained arm have reasoning. Recipe raft has one `cot` for training and test."""
    dataset = arm.get("dataset")
    of_closed_book = dataset.get("cot") if isinstance(dataset, Mapping) else None
    return bool(arm.get("cot") if arm.get("recipe") == "raft" else of_closed_book)


def _passages(a: Arm, b: Arm) -> Iterator[str]:
    """Yields the difference between the passages in the test prompts of two arms."""
    contexts = {a.get("context"), b.get("context")}
    if contexts == {"passages", "gold"}:
        yield "the passages in the prompt (gold alone, or those of the test)"
    elif contexts == {"none", "gold"}:
        yield "gold passages in the prompt"
    elif len(contexts) > 1:
        yield "passages in the prompt"


def _changed(a: Mapping[str, object], b: Mapping[str, object], groups: Iterable[str]) -> list[str]:
    """Returns the names of the settings that differ between the arms, or that only one of the arms changes."""
    names: list[str] = []
    for group in groups:
        left, right = (arm.get(group) for arm in (a, b))
        left, right = (values if isinstance(values, Mapping) else {} for values in (left, right))
        names += [name for name in dict.fromkeys([*left, *right]) if left.get(name, ...) != right.get(name, ...)]
    return names


def lines(results: Results) -> list[str]:
    """Returns one line about a primary contrast whose arms differ in several things; [] for other contrasts.

    The line names the study's arms that differ from the primary arm in one thing, and shipped arms that the study could
    add for this purpose.
    """
    primary, differ = results.get("primary"), results.get("contrasts", {})
    if not primary or len(mixed := differ.get(str(primary["against"]), [])) < 2:
        return []
    arm = primary["arm"]
    alone = [
        f"{arm} minus {row['b']} isolates {differ[row['b']][0]} ({_figures(row)})"
        for row in results["comparisons"]
        if row["metric"] == primary["metric"] and len(differ.get(row["b"], [])) == 1
    ]
    missing = [f"{name} ({what})" for name, what in ISOLATING.items() if name not in differ] if arm == "raft" else []
    sentences = [f"{arm} minus {primary['against']} mixes {_joined(mixed)}.", *(f"{one}." for one in alone)]
    if missing:
        sentences.append(f"To isolate single differences, add arms to evaluation.arms: {', '.join(missing)}.")
    return [" ".join(sentences)]


def _figures(row: Comparison) -> str:
    return f"{points(row['difference'])} points, {p_text(row['p_value_holm'])}"


def _joined(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
