"""Reads API calls from texts: the documentation of APIBench, and the replies of models. Nothing is executed.

Two calls are the same if they have the same function and the same identifying arguments (`ApiCall`). Identifying
arguments name a model, a task, a repository or an address. All other arguments are options: `pretrained=True`,
`torch_dtype=torch.float16`.
"""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

MOST_CHARACTERS = 20_000  # largest number of characters of a reply that are read
MOST_CALLS = 500  # largest number of parts of a reply that are read as calls
MOST_OF_A_CALL = 4_000  # largest number of characters of a call or a line; longer ones are not parsed
DEEPEST = 20  # nesting depth of brackets; calls with deeper brackets are not parsed

# Function -> the names of its first positional arguments. All functions `*.from_pretrained` have the same names.
_PARAMETERS = {
    "torch.hub.load": ("repo_or_dir", "model"),
    "hub.load": ("handle",),
    "hub.KerasLayer": ("handle",),
    "pipeline": ("task", "model"),
    "from_pretrained": ("pretrained_model_name_or_path",),
}
_IDENTIFYING = frozenset(
    {
        "handle",
        "model",
        "model_id",
        "model_name",
        "model_name_or_path",
        "model_tag",
        "pretrained_model_name_or_path",
        "repo_id",
        "repo_or_dir",
        "segmentation",
        "source",
        "task",
    }
)
_SAME_MODULES = {"tensorflow_hub": "hub"}  # module -> the name under which the documentation imports it
_NO_MODULES = frozenset({"transformers"})  # the documentation calls its functions without the module's name

_FENCED = re.compile(r"```[\w+.-]*[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
_HEAD = re.compile(r"(?<![\w.])[A-Za-z_]\w*(?:\s?\.\s?[A-Za-z_]\w*)*\s?\(")
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_BROKEN = (SyntaxError, ValueError, MemoryError, RecursionError)


@dataclass(frozen=True)
class ApiCall:
    """A call: its function with its module (`torch.hub.load`), and its identifying arguments, sorted by name.

    If Python cannot parse the call, `function` is "" and the only argument is the text of the call.
    """

    function: str
    arguments: tuple[tuple[str, str], ...]


def documented(text: str) -> ApiCall:
    """Returns the first call in the documentation of an API, or `verbatim(text)` if the text contains no call."""
    return next(calls(text), None) or verbatim(text)


def verbatim(text: str) -> ApiCall:
    """Returns a text as an `ApiCall` without a function, for texts that Python cannot parse.

    Texts that differ only in white space or in the kind of quotation marks give equal calls.
    """
    return ApiCall("", (("text", "".join(text.split()).replace('"', "'")),))


def calls(reply: str) -> Iterator[ApiCall]:
    """Yields the calls in a text in their order: an outer call comes before the calls in its arguments.

    The text may be code, or prose with calls in it. If a block between three backticks has a call, only the first such
    block is read. If the text or block is not valid Python, or has no call outside strings and comments, every part
    `name(...)` with closed brackets is parsed alone, up to `MOST_CALLS` parts. Parts that Python cannot parse are
    yielded as texts (`verbatim`). Only the first `MOST_CHARACTERS` characters are read.
    """
    text = reply[:MOST_CHARACTERS]
    for part in (*_FENCED.findall(text), text):
        found = list(_calls(part))
        if found:
            yield from found
            return


def lines(reply: str) -> Iterator[ApiCall]:
    """Yields the whole text and then each of its lines as `verbatim` calls, for example shell commands."""
    text = reply[:MOST_CHARACTERS]
    yield from map(verbatim, (text, *text.splitlines()))


def _calls(text: str) -> Iterator[ApiCall]:
    tree = _parsed(text.strip())
    if tree is not None and (found := list(_of_tree(tree, dict(_imports(tree))))):
        yield from found
        return
    end = 0
    for start, span in _spans(text):
        if start < end:
            continue
        if (part := _parsed(span)) is None:
            yield verbatim(span)
        else:
            end = start + len(span)
            yield from _of_tree(part, {})


def _parsed(text: str) -> ast.Module | None:
    """Parses Python; None for a text that is not Python.

    Also returns None for a text with more than `DEEPEST` levels of brackets, or with a line of more than
    `MOST_OF_A_CALL` characters.
    """
    if _depth(text) > DEEPEST or max(map(len, text.split("\n"))) > MOST_OF_A_CALL:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about invalid escape sequences
        try:
            return ast.parse(text)
        except _BROKEN:
            return None


def _depth(text: str) -> int:
    depth = deepest = 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        deepest = max(deepest, depth)
    return deepest


def _of_tree(tree: ast.AST, imported: dict[str, str]) -> Iterator[ApiCall]:
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for node in sorted(found, key=lambda call: (call.lineno, call.col_offset, -(call.end_col_offset or 0))):
        if (name := _dotted(node.func)) is not None and (call := _call(node, _function(name, imported))) is not None:
            yield call


def _call(node: ast.Call, function: str) -> ApiCall | None:
    try:
        return ApiCall(function, tuple(sorted(_identifying(node, function))))
    except RecursionError:
        return None


def _identifying(node: ast.Call, function: str) -> Iterator[tuple[str, str]]:
    names = _PARAMETERS.get(function) or _PARAMETERS.get(function.rpartition(".")[2])
    for place, value in enumerate(node.args):
        if names is None:
            yield str(place), _value(value)
        elif place < len(names):
            yield names[place], _value(value)
    for keyword in node.keywords:
        if keyword.arg in _IDENTIFYING:
            yield keyword.arg, _value(keyword.value)


def _value(node: ast.expr) -> str:
    """Returns a value without white space. A name without quotation marks equals the same name in quotation marks."""
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ast.unparse(node)
    return "".join(text.split())


def _dotted(node: ast.expr) -> str | None:
    """Returns the name of a function, `torch.hub.load`; None for a function without a name, as in `f(x)(y)`."""
    names = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else None


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yields (name in the code, name in the documentation) of `import x as y` and of `from torch import hub`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name.asname, name.name) for name in node.names if name.asname)
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                if name.asname:
                    yield name.asname, name.name
                if (node.module, name.name) == ("torch", "hub"):
                    yield name.asname or name.name, "torch.hub"


def _function(name: str, imported: dict[str, str]) -> str:
    """Returns a function's name as the documentation writes it."""
    first, dot, rest = name.partition(".")
    whole = imported.get(first, first) + dot + rest
    module, dot, rest = whole.partition(".")
    if dot and module in _NO_MODULES:
        return rest
    return _SAME_MODULES.get(module, module) + dot + rest


def _spans(text: str) -> Iterator[tuple[int, str]]:
    """Yields (place, text) of the parts `name(...)` whose brackets close."""
    for head in islice(_HEAD.finditer(text), MOST_CALLS):
        if (end := _closed(text, head.end() - 1)) is not None:
            yield head.start(), text[head.start() : end]


def _closed(text: str, start: int) -> int | None:
    """Returns the index after the bracket that closes the one at `start`. Brackets in quotation marks do not count.

    Returns None if no bracket closes it within `MOST_OF_A_CALL` characters and `DEEPEST` levels of brackets.
    """
    open_brackets: list[str] = []
    quote, place = "", start
    limit = min(len(text), start + MOST_OF_A_CALL)
    while place < limit:
        sign = text[place]
        if quote:
            if sign == "\\":
                place += 1
            elif sign == quote:
                quote = ""
        elif sign in "'\"":
            quote = sign
        elif sign in _PAIRS:
            open_brackets.append(_PAIRS[sign])
            if len(open_brackets) > DEEPEST:
                return None
        elif sign in ")]}":
            if open_brackets.pop() != sign:
                return None
            if not open_brackets:
                return place + 1
        place += 1
    return None
