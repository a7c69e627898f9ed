"""Tables of the reference pages: fields of records, metrics, errors.

Each marker `<!-- table: NAME -->` in a page is replaced by the table of that name.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from raft_exp.core import errors
from raft_exp.core.comments import comments_of
from raft_exp.evaluation.metrics import METRICS, PROFILES


def table(name: str) -> str:
    """Returns a table in Markdown. `name`: metrics, profiles, errors, or the dotted name of a class with fields."""
    made = {"metrics": _metrics, "profiles": _profiles, "errors": _errors}
    return "\n".join(made[name]() if name in made else _fields(name))


def _fields(name: str) -> Iterator[str]:
    module, _, attribute = name.rpartition(".")
    kind: Any = getattr(import_module(module), attribute)
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(tree, ast.ClassDef)
    comments = comments_of(kind)
    yield f"{_words(kind)}\n"
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    for statement in tree.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            field = statement.target.id
            yield f"| `{field}` | {_code(ast.unparse(statement.annotation))} | {_cell(comments.get(field, ''))} |"


def _metrics() -> Iterator[str]:
    yield "| metric | a reply scores | meaning |"
    yield "|---|---|---|"
    for name, metric in METRICS.items():
        function: Any = metric.of_pair or metric.batch or (metric.observe if metric.per_row else metric.aggregate)
        scores = "0 or 1" if metric.share else "0 to 1" if metric.per_row else "no value of its own"
        yield f"| `{name}` | {scores} | {_cell(_words(function, arguments=False))} |"


def _profiles() -> Iterator[str]:
    yield "| corpus | metrics, the primary one first |"
    yield "|---|---|"
    for name, profile in PROFILES.items():
        yield f"| {name} | {', '.join(f'`{metric}`' for metric in profile.metrics)} |"


def _errors() -> Iterator[str]:
    yield "| error | exit status | meaning |"
    yield "|---|---|---|"
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.RaftError):
            yield f"| `{name}` | {kind.status} | {_cell(_words(kind))} |"


def _words(documented: object, arguments: bool = True) -> str:
    """Returns the docstring on one line. `arguments`: whether to include paragraphs that begin with a name in code."""
    paragraphs = (inspect.getdoc(documented) or "").split("\n\n")
    return " ".join(" ".join(part.split()) for part in paragraphs if arguments or not part.startswith("`"))


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
