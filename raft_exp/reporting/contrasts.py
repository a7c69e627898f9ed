"""Lists what differs between two arms. A comparison of arms with several differences has several possible causes."""

from collections.abc import Iterable, Iterator, Mapping

from raft_exp.evaluation.results import Choice, Comparison, Results
from raft_exp.evaluation.selection import AS_WRITTEN, FEW_SHOT
from raft_exp.reporting.formats import p_text, points
from raft_exp.reporting.verdict import ArmSettings

_TRAINING = "training"
_NAMED = ("recipe", "context", "cot", "dataset", "adapter", "engine", "trainer", "lora", "examples", "wording")

# Shipped arms that isolate a part of RAFT's difference to rag, for studies without them.
ISOLATING = {
    "rag_cot": "training, at an equal prompt",
    "sft_rag": "RAFT's training rows against plain question-answer pairs",
    "oracle_sft": "the distractors and the reasoning of the training rows",
}


def contrasts(reference: str, arms: ArmSettings, selection: Mapping[str, Choice] | None = None) -> dict[str, list[str]]:
    """Returns {other arm: what differs between it and the reference arm}.

    `selection`: the choices made on validation questions. The chosen prompts are read from it.
    """
    chosen = {name: choice["chosen"] for name, choice in (selection or {}).items() if choice["setting"] == "prompt"}
    asked = {name: {**arm, **_asked(chosen.get(f"{name}@prompt", AS_WRITTEN))} for name, arm in arms.items()}
    return {name: list(_differences(asked[reference], arm)) for name, arm in asked.items() if name != reference}


def _asked(chosen: str) -> dict[str, object]:
    """Returns the settings of an arm's prompt that a chosen prompt candidate changes."""
    return {"wording": AS_WRITTEN, "examples": FEW_SHOT} if chosen == FEW_SHOT else {"wording": chosen}


def _differences(a: Mapping[str, object], b: Mapping[str, object]) -> Iterator[str]:
    recipes = (a.get("recipe", "none"), b.get("recipe", "none"))
    if "none" in recipes:
        if recipes != ("none", "none") or a.get("adapter") != b.get("adapter"):
            yield _TRAINING
    else:
        if recipes[0] != recipes[1]:
            yield "the training rows (passages and quotes, or question and answer alone)"
        elif changed := _changed(a, b, ("dataset",)):
            yield f"the training rows ({', '.join(changed)})"
        if changed := _changed(a, b, ("trainer", "lora")):
            yield f"the training settings ({', '.join(changed)})"
    if a.get("context") != b.get("context"):
        yield "passages in the prompt"
    if bool(a.get("cot")) != bool(b.get("cot")):
        yield "a prompt that asks to quote"
    if a.get("wording") != b.get("wording"):
        yield "the wording of the prompt"
    if a.get("examples", 0) != b.get("examples", 0):
        yield "worked examples in the prompt"
    if a.get("engine") != b.get("engine"):
        yield "the engine and its model"
    if others := sorted(name for name in {*a, *b} - {*_NAMED} if a.get(name) != b.get(name)):
        yield ", ".join(others)


def _changed(a: Mapping[str, object], b: Mapping[str, object], groups: Iterable[str]) -> list[str]:
    """Returns the names of the settings that differ between the arms, or that only one of the arms changes."""
    names: list[str] = []
    for group in groups:
        left, right = (arm.get(group) for arm in (a, b))
        left, right = (values if isinstance(values, Mapping) else {} for values in (left, right))
        names += [name for name in dict.fromkeys([*left, *right]) if left.get(name, ...) != right.get(name, ...)]
    return names


def lines(results: Results) -> list[str]:
    """Describes a primary contrast whose arms differ in several things; returns [] for other contrasts.

    The line names the arms of the study that isolate one difference, and the shipped arms that would.
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


def _joined(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
