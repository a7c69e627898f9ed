"""Keeps texts of documents and replies inside their tags in a judge's prompt.

A reply is untrusted text: it may hold `</reply>` and, behind it, a verdict in the judge's form. In such a tag the sign
`<` is replaced, so that only the template of the task can open or close a part of the prompt.
"""

import re

from raft_exp.tasks.task import Clean, Task

_SIGNS = "<\ufe64\uff1c"  # < and the signs that Unicode's compatibility forms equate with it
_STANDS_FOR = "\u2039"  # ‹


def delimited(clean: Clean, task: Task) -> Clean:
    """Returns a function that applies `clean` to a text, and makes the tags of the task's templates in it harmless.

    Tags in upper or lower case and with spaces count too: `< / REPLY >`.
    """
    names = set(re.findall(r"</([\w-]+)>", task.system + task.prompt + task.again))
    if not names:
        return clean
    tag = re.compile(rf"[{_SIGNS}](?=[\s/\\]*(?:{'|'.join(map(re.escape, sorted(names)))}))", re.IGNORECASE)
    return lambda text: tag.sub(_STANDS_FOR, clean(text))
