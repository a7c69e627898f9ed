"""Templates to files: HTML that loads nothing and runs nothing but its own script, and Markdown that stays text."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"
_MARKDOWN = re.compile(r"[\\`*\[\]|#~]|(?<![a-zA-Z0-9])_|_(?![a-zA-Z0-9])")
_UNSAFE = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&"}  # "</script>" would end the data, "<!--" hide it


def write(path: Path, template: str, view: Mapping[str, Any]) -> None:
    """Fills a template; one that makes HTML gets a policy that forbids every connection and every other script."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    markdown = path.suffix == ".md"
    environment = Environment(
        loader=PackageLoader("raft_exp.reporting", "templates"),
        undefined=StrictUndefined,
        autoescape=not markdown,
        finalize=markdown_text if markdown else None,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    given = {} if markdown else {"script": script(), "policy": policy()}
    page = environment.get_template(template).render({**view, **given})
    path.write_text(page, encoding="utf-8", errors="backslashreplace", newline="\n")


def script() -> "Markup":
    """What makes the browser of examples work."""
    from markupsafe import Markup

    return Markup((_TEMPLATES / "browser.js").read_text(encoding="utf-8"))  # our own file, no text of a document


def policy() -> str:
    """The page's Content-Security-Policy: a text of a document that became a script would still not run."""
    digest = base64.b64encode(hashlib.sha256(str(script()).encode()).digest()).decode()
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )


def embedded(value: Any) -> "Markup":
    """JSON that stands inside a <script> element and cannot leave it; ASCII, with U+2028 and surrogates escaped."""
    from markupsafe import Markup

    return Markup(json.dumps(value, separators=(",", ":")).translate(_UNSAFE))


def markdown_text(value: Any) -> str:
    """Text that Markdown shows as it is, on one line: no markup, no HTML, no new table cell."""
    text = " ".join(str(value).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\g<0>", text)
