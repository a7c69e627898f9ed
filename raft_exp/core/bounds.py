"""Remedies in messages about a number out of bounds. A remedy names a valid value."""

from collections.abc import Callable

from pydantic_core import ErrorDetails

# Type of pydantic's error -> key of the bound in the error, and the text of a remedy with valid values.
_REMEDIES: dict[str, tuple[str, Callable[[float], str]]] = {
    "greater_than_equal": ("ge", lambda bound: f"={_plain(bound)} or a larger value"),
    "less_than_equal": ("le", lambda bound: f"={_plain(bound)} or a smaller value"),
    "greater_than": ("gt", lambda bound: f" to a number above {bound:g}"),
    "less_than": (
        "lt",
        lambda bound: f"={bound - 1} or a smaller value" if isinstance(bound, int) else f" to a number below {bound:g}",
    ),
}


def _plain(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def remedy(setting: str, problem: ErrorDetails) -> str:
    """Returns the end of a message: `; set SETTING=...` with valid values; "" if `problem` is not about a bound.

    For an item of a list: `; set each item of SETTING to ...`.
    """
    if problem["type"] not in _REMEDIES:
        return ""
    name, values = _REMEDIES[problem["type"]]
    text = values(problem["ctx"][name])
    return f"; set each item of {setting}{text.replace('=', ' to ')}" if _is_item(problem) else f"; set {setting}{text}"


def _is_item(problem: ErrorDetails) -> bool:
    """Whether the value is an item of a list: the last part of its location is then a number."""
    return bool(problem["loc"]) and isinstance(problem["loc"][-1], int)
