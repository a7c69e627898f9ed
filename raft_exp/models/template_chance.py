"""Finds chat templates with random output, i.e. with Jinja's filter `random` or its function `lipsum`.

Such templates are refused, because equal settings must give equal prompts.
"""

from collections.abc import Iterator
from functools import lru_cache

_GENERATION = ("generation", "endgeneration")  # tags of transformers around replies


@lru_cache(maxsize=64)
def uses_chance(template: str) -> str:
    """Returns the first part of a template that has random output: "|random" or "lipsum()"; "" if no part has."""
    return next(_random_parts(template), "")


def _random_parts(template: str) -> Iterator[str]:
    from jinja2 import TemplateError, nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"])
    for mark in _GENERATION:
        template = template.replace(f"{{% {mark} %}}", "").replace(f"{{%- {mark} -%}}", "")
    try:
        tree = environment.parse(template)
    except TemplateError:  # transformers, which has more extensions, reads the template or refuses it with a reason
        return
    yield from ("|random" for found in tree.find_all(nodes.Filter) if found.name == "random")
    written = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"}
    read = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "load"}
    if "lipsum" in read - written:
        yield "lipsum()"
