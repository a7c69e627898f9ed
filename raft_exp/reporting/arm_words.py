"""Describes each arm of a study in one sentence: the training data, and the prompts at test."""

from collections.abc import Iterator, Mapping

from raft_exp.reporting.facts import section, text

_ENGINE = ("name", "model")  # the settings of an engine that name it
_SHOWN = {"passages": "the question and passages", "gold": "the question and its gold passages alone"}
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
        learned = "questions, reasoning and answers" if _reasons_closed_book(arm) else "questions and answers"
        return f"fine-tuned on {learned} without passages"
    return "not trained"


def _asked(arm: Mapping[str, object]) -> str:
    shown = _SHOWN.get(str(arm.get("context")), "the question alone")
    examples = f", after {arm['examples']} worked examples" if arm.get("examples") else ""
    alone = arm.get("recipe") == "none" or _reasons_closed_book(arm)
    quotes = ", and asked to reason with quotes" if arm.get("cot") and alone else ""
    return f"shown {shown}{examples}{quotes}"


def _reasons_closed_book(arm: Mapping[str, object]) -> bool:
    """Whether the closed-book targets of an arm have reasoning."""
    return arm.get("recipe") == "closed_book" and bool(section(arm, "dataset").get("cot"))


def _changed(arm: Mapping[str, object]) -> Iterator[str]:
    """Yields a phrase for the arm's own engine and for each group of training settings that the arm changes."""
    if isinstance(engine := arm.get("engine"), Mapping):
        yield f"answered by engine {': '.join(str(engine[key]) for key in _ENGINE if key in engine)}"
    for group, words in _GROUPS.items():
        if arm.get(group) and not (group == "dataset" and _reasons_closed_book(arm)):
            yield f"{words} {text(arm[group])}"
