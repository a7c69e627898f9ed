"""Renders the templates: HTML pages that load nothing and run only their own script, and Markdown with escaped text."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"
_MARKDOWN = re.compile(r"[\\`*\[\]|#~]|(?<![a-zA-Z0-9])_|_(?![a-zA-Z0-9])")
_UNSAFE = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&"}  # "</script>" would end the data, "<!--" hide it


def write(path: Path, template: str, view: Mapping[str, object]) -> None:
    """Renders a template. An HTML page gets a policy that forbids all connections and all scripts but its own."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    markdown = path.suffix == ".md"
    environment = Environment(
        loader=PackageLoader("raft_exp.reporting", "templates"),
        undefined=StrictUndefined,
        autoescape=not markdown,
        finalize=_markdown_or_markup if markdown else None,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    own = {} if markdown else {"script": script(), "policy": policy()}
    page = environment.get_template(template).render({**view, **own})
    path.write_text(page, encoding="utf-8", errors="backslashreplace", newline="\n")


def script() -> "Markup":
    """The script of the examples browser."""
    from markupsafe import Markup

    return Markup((_TEMPLATES / "browser.js").read_text(encoding="utf-8"))  # safe: it has no text of documents


def policy() -> str:
    """The page's Content-Security-Policy, which allows the page's own script by its digest and nothing else."""
    digest = base64.b64encode(hashlib.sha256(str(script()).encode()).digest()).decode()
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )


def embedded(value: object) -> "Markup":
    """JSON for a <script> element, which no text inside can end: ASCII, with <, >, & escaped as well."""
    from markupsafe import Markup

    return Markup(json.dumps(value, separators=(",", ":")).translate(_UNSAFE))


def _markdown_or_markup(value: object) -> str:
    """What a template writes: the tables of its macros (`| safe`) as they are, all else as text."""
    from markupsafe import Markup

    return value if isinstance(value, Markup) else markdown_text(value)


def markdown_text(value: object) -> str:
    """Text on one line with Markdown's and HTML's special characters escaped, table separators included."""
    text = " ".join(str(value).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\g<0>", text)
