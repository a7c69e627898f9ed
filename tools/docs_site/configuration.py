"""Generates the page of all settings: names and types from the dataclasses, defaults and descriptions from conf/."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from raft_exp.core.comments import YamlFile, field_comments, read_yaml
from raft_exp.pipeline.config import ArmConfig, Config, conf_dir
from raft_exp.pipeline.described import (
    dataclasses_in,
    files_of,
    first_sentence,
    is_runtime,
    setting_rows,
    type_hints,
    type_text,
    value_text,
    with_bases,
)

# Config groups with settings of Hydra itself, which have no dataclass: group -> (prefix of its settings, more files).
_HYDRA = {
    "sweep": ("hydra.sweeper", ("hydra/sweeper/grid.yaml", "hydra/sweeper/optuna.yaml")),
    "launcher": ("", ()),
}
_HEAD = """# Configuration

This page lists every setting of a study. It is generated from the files under `conf/` and the dataclasses that check
their values.

Set a value with `group.key=value`. Choose a file of a group with `group=file`, e.g. `model=qwen2_5_3b`, `trainer=gpu`
or `teacher=openai`. An experiment, `+experiment=NAME`, is a file that chooses files and sets values. Settings on the
command line override all files. `python -m raft_exp --help` prints the files of each group and all values.

A wrong setting ends the command with one line that names the field, its value and the allowed values.

Settings marked **runtime** change the speed or the place of a computation, but not its result. They are not part of a
[store key](../explanation/store-and-keys.md).
"""


def page() -> str:
    """Returns the page in Markdown."""
    return "\n".join([_HEAD, *_study(), *_groups(), *_arms(), *_hydra_groups(), *_experiments()])


def settings() -> set[str]:
    """Returns the dotted names of all settings of the dataclasses. The settings of an arm are `arms.NAME.*`."""
    found = {name for name, hint in type_hints(Config).items() if not dataclasses_in(hint)}
    for group, hint in type_hints(Config).items():
        for member in dataclasses_in(hint):
            found |= {f"{group}.{key}" for key, _, _ in setting_rows(member)}
    return found | {f"arms.NAME.{key}" for key, _, _ in setting_rows(ArmConfig)}


def _study() -> Iterator[str]:
    values, comments = read_yaml(conf_dir() / "config.yaml"), field_comments(Config)
    yield "## The study\n"
    yield from _table_head()
    for name, hint in type_hints(Config).items():
        if not dataclasses_in(hint):
            yield _row(name, hint, values, name, comments[name])
    yield ""


def _groups() -> Iterator[str]:
    for group, hint in type_hints(Config).items():
        members = dataclasses_in(hint)
        if not members:
            continue
        files = files_of(group)
        yield f"## {group}\n"
        if len(members) == 1:
            yield from _described(group, members[0], files)
        else:
            for member in members:
                name = get_args(type_hints(member)["name"])[0]
                yield f"### {group}={name}\n"
                yield from _described(group, member, [file for file in files if file.stem == name])


def _described(group: str, kind: type, files: list[Path]) -> Iterator[str]:
    """Yields the Markdown lines for one dataclass of a group: a table of its settings, then a list of its files.

    The defaults in the table come from default.yaml, or from the first file.
    """
    shipped = sorted(files, key=lambda file: file.stem != "default")
    values = with_bases(shipped[0]) if shipped else YamlFile("", {})
    about = (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
    yield f"{_text(values.about or about)}\n"
    yield from _table_head()
    for key, hint, comment in setting_rows(kind):
        yield _row(f"{group}.{key}", hint, values, key, comment)
    yield ""
    if len(shipped) > 1:
        yield "Files:\n"
        yield from (
            f"- `{group}={file.stem}`: {_sentence(read_yaml(file).about) or 'the values of its file'}"
            for file in shipped
        )
        yield ""


def _arms() -> Iterator[str]:
    yield "## arms\n"
    yield "One file for each arm, `conf/arm/NAME.yaml`; see [A new arm](../extend/arm.md).\n"
    yield from _table_head()
    for key, hint, comment in setting_rows(ArmConfig):
        yield _row(f"arms.NAME.{key}", hint, read_yaml(conf_dir() / "arm" / "base.yaml"), key, comment)
    yield "\nShipped:\n"
    yield from (f"- `{file.stem}`: {_sentence(read_yaml(file).about)}" for file in files_of("arm"))
    yield ""


def _hydra_groups() -> Iterator[str]:
    for group, (prefix, more) in _HYDRA.items():
        yield f"## {group}\n"
        yield from (f"- `{group}={file.stem}`: {_sentence(read_yaml(file).about)}" for file in files_of(group))
        yield ""
        if more:
            yield from _table_head()
        for name in more:
            for key, setting in read_yaml(conf_dir() / name).settings.items():
                if key != "_target_" and setting.comment:
                    yield f"| `{prefix}.{key}` | | `{value_text(setting.value)}` | {_text(setting.comment)} |"
        yield ""


def _experiments() -> Iterator[str]:
    yield "## experiment\n"
    yield "Each file is a change to the settings above. `'+experiment=[A,B]'` puts B on top of A.\n"
    folder = conf_dir() / "experiment"
    for file in sorted(folder.rglob("*.yaml")):
        yield f"- `+experiment={file.relative_to(folder).with_suffix('')}`: {_sentence(read_yaml(file).about)}"
    yield "\n`+debug=short` makes any study short: every stage runs, and the figures mean nothing.\n"


def _table_head() -> Iterator[str]:
    yield "| setting | values | default | what it does |"
    yield "|---|---|---|---|"


def _row(name: str, hint: object, values: YamlFile, key: str, comment: str) -> str:
    setting = values.settings.get(key)
    default = f"`{value_text(setting.value)}`" if setting else ""
    words = (setting.comment if setting else "") or comment
    runtime = " **runtime**" if is_runtime(hint) else ""
    return f"| `{name}` | {_text(type_text(hint))} | {_text(default)} | {_text(words)}{runtime} |"


def _sentence(about: str) -> str:
    return _text(first_sentence(about))


def _text(text: str) -> str:
    """Returns text for a cell of a table: on one line, with `|` and `<` escaped."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("`&lt;", "`<").replace("\n", " ")
