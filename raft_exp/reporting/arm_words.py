"""Describes each arm of a study in one sentence: its training data and its prompts at test."""

from collections.abc import Iterator, Mapping

from raft_exp.reporting.facts import text

_ENGINE = ("name", "model")  # the settings of an engine that name it
_GROUPS = {"dataset": "its training rows have", "trainer": "its trainer has", "lora": "its adapter has"}


def described(arm: Mapping[str, object]) -> str:
    """Returns one sentence about an arm's settings, such as "Not trained; shown the question and passages."."""
    words = "; ".join((_trained(arm), _asked(arm), *_changed(arm)))
    return f"{words[0].upper()}{words[1:]}."


def _trained(arm: Mapping[str, object]) -> str:
    if arm.get("adapter"):
        return f"the ready adapter {arm['adapter']}"
    if arm.get("recipe") == "raft":
        form = "to reason with quotes and then answer" if arm.get("cot") else "to answer without reasoning"
        return f"fine-tuned on questions among passages, {form}"
    if arm.get("recipe") == "closed_book":
        return "fine-tuned on questions and answers without passages"
    return "not trained"


def _asked(arm: Mapping[str, object]) -> str:
    shown = "the question and passages" if arm.get("context") == "passages" else "the question alone"
    examples = f", after {arm['examples']} worked examples" if arm.get("examples") else ""
    quotes = ", and asked to reason with quotes" if arm.get("cot") and arm.get("recipe") == "none" else ""
    return f"shown {shown}{examples}{quotes}"


def _changed(arm: Mapping[str, object]) -> Iterator[str]:
    """Yields a phrase for the arm's own engine and for each group of training settings that the arm changes."""
    if isinstance(engine := arm.get("engine"), Mapping):
        yield f"answered by engine {': '.join(str(engine[key]) for key in _ENGINE if key in engine)}"
    for group, words in _GROUPS.items():
        if arm.get(group):
            yield f"{words} {text(arm[group])}"
