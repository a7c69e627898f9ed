"""Renders the templates: HTML pages that load nothing and run only their own script, and Markdown with escaped text."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"
_MARKDOWN = re.compile(r"[\\`*\[\]|#~]|(?<![a-zA-Z0-9])_|_(?![a-zA-Z0-9])")
_UNSAFE = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&"}  # "</script>" would end the data, "<!--" hide it


def write(path: Path, template: str, view: Mapping[str, object]) -> None:
    """Renders a template into `path`. In an HTML page, a policy forbids connections and all scripts except one.

    The allowed script is that of the page (`script`).
    """
    markdown = path.suffix == ".md"
    own = {} if markdown else {"script": script(), "policy": policy()}
    page = _environment(markdown).get_template(template).render({**view, **own})
    path.write_text(page, encoding="utf-8", errors="backslashreplace", newline="\n")


@cache
def _environment(markdown: bool) -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("raft_exp.reporting", "templates"),
        undefined=StrictUndefined,
        autoescape=not markdown,
        finalize=_markdown_or_markup if markdown else None,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def script() -> "Markup":
    """Returns the script of the examples browser."""
    from markupsafe import Markup

    return Markup((_TEMPLATES / "browser.js").read_text(encoding="utf-8"))  # safe: it has no text of documents


def policy() -> str:
    """Returns the page's Content-Security-Policy. It allows only the page's own script, by its digest."""
    digest = base64.b64encode(hashlib.sha256(str(script()).encode()).digest()).decode()
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )


def embedded(value: object) -> "Markup":
    """Returns a value as JSON that is safe inside a <script> element: ASCII, with <, > and & escaped."""
    from markupsafe import Markup

    return Markup(json.dumps(value, separators=(",", ":")).translate(_UNSAFE))


def _markdown_or_markup(value: object) -> str:
    """Returns safe markup (`| safe`) unchanged, and any other value as escaped Markdown text."""
    from markupsafe import Markup

    return value if isinstance(value, Markup) else markdown_text(value)


def markdown_text(value: object) -> str:
    """Returns text on one line, with the special characters of Markdown, HTML and tables escaped."""
    text = " ".join(str(value).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\g<0>", text)
