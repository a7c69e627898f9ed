"""The page of all settings: types and names from the dataclasses, defaults and words from conf/."""

import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml
from annotated_types import Ge, Gt, Le, Lt

from raft_exp.pipeline.config import ArmConfig, Config, conf_dir
from tools.docs_site.comments import Setting, YamlFile, field_comments, read_yaml

_PLAIN = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true, false",
    object: "any value",
    types.NoneType: "null",
}
_SIGNS = {Ge: ("ge", "≥"), Gt: ("gt", ">"), Le: ("le", "≤"), Lt: ("lt", "<")}
# Groups whose files change Hydra's own settings: no dataclass has them.
_HYDRA = {
    "sweep": ("hydra.sweeper", ("hydra/sweeper/grid.yaml", "hydra/sweeper/optuna.yaml")),
    "launcher": ("", ()),
}
_HEAD = """# Configuration

Every setting of a study. This page is made from the files under `conf/` and the dataclasses that check them.

Write a setting as `group.key=value`. Choose a file of a group as `group=file`: `model=qwen2_5_3b`,
`trainer=gpu`, `teacher=openai`. An experiment, `+experiment=NAME`, changes some of both, and the command line has the
last word. `python -m raft_exp --help` prints the files of each group and all values.

A mistake is refused in one line that names the field, the value and what is allowed.

Settings marked **runtime** change how fast or where a study runs, and not its result: they are in no
[store key](../explanation/store-and-keys.md).
"""


def page() -> str:
    """The page as Markdown."""
    return "\n".join([_HEAD, *_study(), *_groups(), *_arms(), *_hydra_groups(), *_experiments()])


def settings() -> set[str]:
    """All settings by dotted name, as the dataclasses have them; an arm's are `arms.NAME.*`."""
    found = {name for name, hint in _hints(Config).items() if not _members(hint)}
    for group, hint in _hints(Config).items():
        for member in _members(hint):
            found |= {f"{group}.{key}" for key, _, _ in _rows(member)}
    return found | {f"arms.NAME.{key}" for key, _, _ in _rows(ArmConfig)}


def _study() -> Iterator[str]:
    values, comments = read_yaml(conf_dir() / "config.yaml"), field_comments(Config)
    yield "## The study\n"
    yield from _table_head()
    for name, hint in _hints(Config).items():
        if not _members(hint):
            yield _row(name, hint, values, name, comments[name])
    yield ""


def _groups() -> Iterator[str]:
    for group, hint in _hints(Config).items():
        members = _members(hint)
        if not members:
            continue
        files = _files(group)
        yield f"## {group}\n"
        if len(members) == 1:
            yield from _described(group, members[0], files)
        else:
            for member in members:
                name = get_args(_hints(member)["name"])[0]
                yield f"### {group}={name}\n"
                yield from _described(group, member, [file for file in files if file.stem == name])


def _described(group: str, kind: type, files: list[Path]) -> Iterator[str]:
    """The table of a dataclass, with the defaults of its first file, and the other files that the group has."""
    shipped = sorted(files, key=lambda file: file.stem != "default")
    values = _with_bases(shipped[0]) if shipped else YamlFile("", {})
    about = (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n", " ")
    yield f"{_text(values.about or about)}\n"
    yield from _table_head()
    for key, hint, comment in _rows(kind):
        yield _row(f"{group}.{key}", hint, values, key, comment)
    yield ""
    if len(shipped) > 1:
        yield "Files:\n"
        yield from (
            f"- `{group}={file.stem}`: {_sentence(read_yaml(file).about) or 'the defaults'}" for file in shipped
        )
        yield ""


def _arms() -> Iterator[str]:
    yield "## arms\n"
    yield "One file for each arm, `conf/arm/NAME.yaml`; see [A new arm](../extend/arm.md).\n"
    yield from _table_head()
    for key, hint, comment in _rows(ArmConfig):
        yield _row(f"arms.NAME.{key}", hint, read_yaml(conf_dir() / "arm" / "base.yaml"), key, comment)
    yield "\nShipped:\n"
    yield from (f"- `{file.stem}`: {_sentence(read_yaml(file).about)}" for file in _files("arm"))
    yield ""


def _hydra_groups() -> Iterator[str]:
    for group, (prefix, more) in _HYDRA.items():
        yield f"## {group}\n"
        yield from (f"- `{group}={file.stem}`: {_sentence(read_yaml(file).about)}" for file in _files(group))
        yield ""
        if more:
            yield from _table_head()
        for name in more:
            for key, setting in read_yaml(conf_dir() / name).settings.items():
                if key != "_target_" and setting.comment:
                    yield f"| `{prefix}.{key}` | | `{_value(setting.value)}` | {_text(setting.comment)} |"
        yield ""


def _experiments() -> Iterator[str]:
    yield "## experiment\n"
    yield "Each file is a change to the settings above. `'+experiment=[A,B]'` puts B on top of A.\n"
    folder = conf_dir() / "experiment"
    for file in sorted(folder.rglob("*.yaml")):
        yield f"- `+experiment={file.relative_to(folder).with_suffix('')}`: {_sentence(read_yaml(file).about)}"
    yield "\n`+debug=short` makes any study short: every stage runs, and the figures mean nothing.\n"


def _files(group: str) -> list[Path]:
    return sorted((conf_dir() / group).glob("*.yaml"))


def _with_bases(file: Path) -> YamlFile:
    """A file with the settings of the files that its `defaults` name."""
    own = read_yaml(file)
    settings: dict[str, Setting] = {}
    for base in (yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("defaults", []):
        if isinstance(base, dict):  # {/task@targets: cot_answer}: a file of another group, under a name
            ((place, option),) = base.items()
            group, _, name = place.strip("/").partition("@")
            other = _with_bases(conf_dir() / group / f"{option}.yaml").settings
            settings |= {f"{name}.{key}": setting for key, setting in other.items()}
        elif base != "_self_":
            settings |= _with_bases(file.parent / f"{base}.yaml").settings
    return YamlFile(own.about, settings | own.settings)


def _table_head() -> Iterator[str]:
    yield "| setting | values | default | what it does |"
    yield "|---|---|---|---|"


def _row(name: str, hint: object, values: YamlFile, key: str, comment: str) -> str:
    setting = values.settings.get(key)
    default = f"`{_value(setting.value)}`" if setting else ""
    words = (setting.comment if setting else "") or comment
    runtime = " **runtime**" if _is_runtime(hint) else ""
    return f"| `{name}` | {_text(type_text(hint))} | {_text(default)} | {_text(words)}{runtime} |"


def _value(value: object) -> str:
    if isinstance(value, str):
        short = " ".join(value.split()) or '""'
        return short if len(short) <= 60 else f"{short[:57]}..."
    if isinstance(value, dict):
        return "{...}" if value else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _sentence(about: str) -> str:
    """The first sentence of a file's comment; commands and remarks after it stand in the file."""
    return _text(re.split(r"(?<=[.?])\s", about)[0])


def _text(text: str) -> str:
    """Text for a cell: a vertical bar would end it, and an angle bracket would start a tag."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("`&lt;", "`<").replace("\n", " ")


def _rows(kind: type, prefix: str = "") -> Iterator[tuple[str, object, str]]:
    """Name, type and comment of each field, nested dataclasses included."""
    comments = field_comments(kind)
    for name, hint in _hints(kind).items():
        yield f"{prefix}{name}", hint, comments.get(name, "")
        for member in _members(hint)[:1] if name != "engine" or prefix else []:
            yield from _rows(member, f"{prefix}{name}.")


def _hints(kind: type) -> Mapping[str, object]:
    names = {field.name for field in fields(kind)}
    hints = get_type_hints(kind, include_extras=True)
    return {name: hint for name, hint in hints.items() if name in names}


def _members(hint: object) -> list[type]:
    """The dataclasses of a type: one, or those of a union."""
    if isinstance(hint, type) and is_dataclass(hint):
        return [hint]
    if get_origin(hint) is Annotated:
        return _members(get_args(hint)[0])
    if get_origin(hint) in (Union, types.UnionType):
        return [member for part in get_args(hint) for member in _members(part)]
    return []


def _is_runtime(hint: object) -> bool:
    return any(type(mark).__name__ == "_RuntimeMark" for mark in getattr(hint, "__metadata__", ()))


def type_text(hint: Any) -> str:
    """The values that a type allows, in words: `text or null`, `integer ≥ 1`, `none | raft`."""
    if get_origin(hint) is Annotated:
        inner, *marks = get_args(hint)
        limits = [limit for mark in marks for limit in _limits(mark)]
        return " ".join([type_text(inner), *limits])
    if get_origin(hint) is Literal:
        return " | ".join(f"`{value}`" for value in get_args(hint))
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_text(part) for part in get_args(hint)))
    if get_origin(hint) is list:
        return f"list of {type_text(get_args(hint)[0])}"
    if get_origin(hint) is dict:
        return f"map of {type_text(get_args(hint)[0])} to {type_text(get_args(hint)[1])}"
    if isinstance(hint, type) and is_dataclass(hint):
        return "settings below"
    return _PLAIN.get(hint, getattr(hint, "__name__", str(hint)))


def _limits(mark: object) -> Iterator[str]:
    for limit in getattr(mark, "metadata", [mark]):
        if type(limit) in _SIGNS:
            name, sign = _SIGNS[type(limit)]
            yield f"{sign} {getattr(limit, name):,}".replace("4,294,967,296", "2^32")
