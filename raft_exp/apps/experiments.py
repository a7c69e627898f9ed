"""Experiments on the command line: studies, and changes to a study.

A file that only changes a study has this line at its top, beside `# @package _global_`:

    # @changes study
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from raft_exp.apps.yaml_errors import own_conf
from raft_exp.pipeline.config import conf_dir

_HEAD = re.compile(r"#\s*@(?P<key>\w+)\s+(?P<value>\S+)\s*")


def changes_study(name: str, more: Sequence[Path] = ()) -> bool:
    """Whether the experiment `name` only changes a study that is named together with it.

    The file is looked up in the shipped conf/, in the folders `more`, and in the folder conf of the working directory.
    Returns False if no folder has the file.
    """
    folders = filter(None, [conf_dir(), *more, own_conf()])
    files = [folder / "experiment" / f"{name}.yaml" for folder in folders]
    file = next((file for file in files if file.is_file()), None)
    return file is not None and _head(file).get("changes") == "study"


def with_experiment(arguments: list[str]) -> list[str]:
    """Adds `+experiment=quickstart`, the embedded study, unless the arguments name a study.

    An experiment that only changes a study does not count as one. The addition stands before all other overrides, so
    that they take precedence. If the arguments set another corpus, the embedded study's note is removed.
    """
    named = [argument for argument in arguments if argument.lstrip("+~").startswith("experiment=")]
    names = [name.strip("[]'\" ") for argument in named for name in argument.partition("=")[2].split(",")]
    folders = list(_config_dirs(arguments))
    if not all(changes_study(name, folders) for name in names):
        return arguments
    arguments = [argument for argument in arguments if argument not in named]
    first = next((place for place, argument in enumerate(arguments) if "=" in argument), len(arguments))
    other_corpus = any(argument.startswith("corpus=") and argument != "corpus=almanac" for argument in arguments)
    has_note = any(argument.startswith("note=") for argument in arguments)
    note = ["note="] if other_corpus and not has_note else []
    experiments = f"[{','.join(['quickstart', *names])}]" if names else "quickstart"
    return [*arguments[:first], f"+experiment={experiments}", *note, *arguments[first:]]


def _config_dirs(arguments: Sequence[str]) -> Iterator[Path]:
    """Yields the folders that Hydra's options --config-dir DIR and -cd DIR add to its search path."""
    for place, argument in enumerate(arguments):
        option, _, folder = argument.partition("=")
        if option in ("--config-dir", "-cd"):
            yield Path(folder or "".join(arguments[place + 1 : place + 2]))


def _head(file: Path) -> dict[str, str]:
    """Returns the entries `# @KEY VALUE` at the top of a file. Hydra reads them too."""
    entries = {}
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        if match := _HEAD.fullmatch(line.strip()):
            entries[match["key"]] = match["value"]
        elif line.strip():
            break
    return entries
