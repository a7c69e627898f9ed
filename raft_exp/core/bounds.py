"""Remedies in messages about a number out of bounds: they name a value that is accepted."""

from collections.abc import Callable

from pydantic_core import ErrorDetails

_REMEDIES: dict[str, tuple[str, Callable[[float], str]]] = {  # pydantic's error -> its bound, and the accepted values
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
    """Returns `; set SETTING=...` with values that are accepted; "" if `problem` is not about a bound.

    The last part of the problem's location is a number if the value is an item of a list.
    """
    if problem["type"] not in _REMEDIES:
        return ""
    name, values = _REMEDIES[problem["type"]]
    text = values(problem["ctx"][name])
    return f"; set each item of {setting}{text.replace('=', ' to ')}" if _is_item(problem) else f"; set {setting}{text}"


def _is_item(problem: ErrorDetails) -> bool:
    return bool(problem["loc"]) and isinstance(problem["loc"][-1], int)
