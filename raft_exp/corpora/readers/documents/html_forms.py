"""The visible text of elements without text content: values of form fields, and descriptions of pictures."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4.element import Tag

FORM_PARTS = {"input", "select", "img"}
_UNSEEN = {"hidden", "password", "submit", "button", "reset", "image", "file", "color", "range"}


def value_of(tag: "Tag") -> str:
    """Returns the value of an input, the choice of a list, or the description of a picture; "" if there is none.

    The value of a check box or radio button is "☒ " or "☐ ".
    """
    if tag.name == "img":
        text = "" if _is_formula(tag) else _line(tag, "alt")
        return f"[picture: {text}]" if text else ""
    if tag.name == "select":
        chosen = [option for option in tag.find_all("option") if option.has_attr("selected")]
        return ", ".join(" ".join(option.get_text().split()) for option in chosen)
    kind = str(tag.get("type", "text")).lower()
    if kind in ("checkbox", "radio"):
        return "☒ " if tag.has_attr("checked") else "☐ "
    return "" if kind in _UNSEEN else _line(tag, "value")


def _is_formula(image: "Tag") -> bool:
    """Whether a picture shows a formula, such as Wikipedia's pictures beside MathML."""
    before = image.previous_sibling
    return "math" in str(image.get("class", "")) or getattr(before, "math", None) is not None


def _line(tag: "Tag", name: str) -> str:
    return " ".join(str(tag.get(name, "")).split())
