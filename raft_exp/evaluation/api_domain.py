"""The score of APIBench's authors: a reply is right if its call matches an API of the right domain.

Source: gorilla/eval/eval-scripts/ast_eval_{hf,tf,th}.py, https://github.com/ShishirPatil/gorilla, commit 6ea5797. This
file implements the rule of these scripts with its own code. Like the scripts, it parses with tree-sitter, which returns
a tree even for code with errors.

- Of the text between "api_call" and "api_provider", the part from the second character after its first ":" to its
  last ")" is parsed. Without "api_call" the whole reply is parsed. (The script for Torch Hub scores such a reply as
  wrong; this file treats all hubs alike.)
- A line of the documentation names a function and its arguments. The line matches if the function is the first part of
  a subtree, and if the text of this subtree contains all these arguments. If no subtree begins with the function, the
  last subtree must contain the arguments. Which arguments count depends on the hub (`_arguments`).
- The reply is right if the first matching line has the domain of the question. Nothing else of the call is compared.
  A reply without a matching line is a hallucination.

So the argument 'model' also matches 'model-of-another-name', and any API of the domain is right.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from raft_exp.core.api_calls import MOST_CHARACTERS
from raft_exp.corpora.apibench.documentation import Api
from raft_exp.evaluation.metrics.graded import DomainClass

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


@dataclass(frozen=True)
class _Line:
    function: bytes
    arguments: list[bytes]
    domain: str


class DomainRule:
    """Scores replies by the documentation of one hub.

    `documentation`: the APIs of the hub, in the order of their file.
    """

    def __init__(self, hub: str, documentation: Sequence[Api]) -> None:
        lines = (_line(api, hub) for api in documentation)
        self._lines = [line for line in lines if line is not None]
        self._longest = max((len(line.function) for line in self._lines), default=0)

    def judge(self, reply: str, domain: str) -> DomainClass:
        """Scores a reply by its first `MOST_CHARACTERS` characters. `domain`: the domain of the reference answer."""
        heads, last = self._subtrees(_marked(reply[:MOST_CHARACTERS]))
        for line in self._lines:
            subtree = heads.get(line.function, last)
            if all(argument in subtree for argument in line.arguments):
                return "right" if line.domain == domain else "wrong"
        return "hallucination"

    def _subtrees(self, code: str) -> tuple[dict[bytes, bytes], bytes]:
        """Returns {first part: text of the first subtree that begins with it}, and the text of the last subtree.

        First parts that are longer than the name of every function are left out.
        """
        heads: dict[bytes, Node] = {}
        node = root = _parse(code)
        for node in _nodes(root):
            if node.child_count:
                first = node.children[0]
                if first.end_byte - first.start_byte <= self._longest:
                    heads.setdefault(first.text or b"", node)
        return {name: head.text or b"" for name, head in heads.items()}, node.text or b""


def _nodes(root: "Node") -> Iterator["Node"]:
    """Yields the root and all nodes with children, in the order of the scripts: the last child first."""
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += [child for child in node.children if child.child_count]


def _marked(reply: str) -> str:
    """Returns the text behind the mark "api_call", as the scripts cut it out; the reply if it has no mark."""
    _, mark, behind = reply.partition("api_call")
    if not mark:
        return reply
    text = behind.split("api_call")[0].split("api_provider")[0]
    end = text.rindex(")") + 1 if ")" in text else -1
    return text[max(text.find(":"), 0) + 2 : end]


def _line(api: Api, hub: str) -> _Line | None:
    """Returns function, arguments and domain of a line of the documentation; None for a line without arguments."""
    statements = _parse(api.call).children
    call = statements[0].children[0] if statements and statements[0].child_count else None
    if call is None or call.child_count < 2:
        return None
    arguments = [argument.strip(b"'") for argument in _arguments(call.children[1], hub)]
    return _Line(call.children[0].text or b"", arguments, api.domain) if arguments else None


def _arguments(listed: "Node", hub: str) -> Iterator[bytes]:
    """Yields the arguments of a documented call that the rule compares.

    - Hugging Face: all arguments; of `name=value` only the value.
    - TensorFlow Hub: all arguments; of `model=value` only the value, other arguments unchanged.
    - Torch Hub: the values of `repo_or_dir` and `model`.
    """
    for node in listed.children:
        text = node.text or b""
        if hub == "torchhub":
            if (b"repo_or_dir" in text or b"model" in text) and node.child_count > 2:
                yield node.children[2].text or b""
        elif text not in (b"(", b")", b","):
            named = b"=" in text if hub == "huggingface" else b"model=" in text or b"model =" in text
            yield (node.children[2].text or b"") if named and node.child_count > 2 else text


def _parse(code: str) -> "Node":
    return _parser().parse(code.encode("utf-8", "replace")).root_node


@cache
def _parser() -> "Parser":
    import tree_sitter_python
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_python.language()))
