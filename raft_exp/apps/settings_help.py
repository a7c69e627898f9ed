"""`python -m raft_exp --help [GROUP]`: explains the settings by the comments in conf/ and in the dataclasses."""

import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from raft_exp import __version__
from raft_exp.apps.yaml_errors import own_conf
from raft_exp.core.comments import YamlFile, field_comments, read_yaml
from raft_exp.core.errors import ConfigError, suggest
from raft_exp.pipeline.config import Config, conf_dir
from raft_exp.pipeline.described import (
    dataclasses_in,
    files_of,
    first_sentence,
    setting_rows,
    type_hints,
    value_text,
    with_bases,
)

_HEAD = f"""raft_exp {__version__}: compares RAG, plain supervised fine-tuning (SFT) and RAFT on your documents, and
tests whether the differences are real.

  python -m raft_exp                              the embedded study: no GPU, no download
  python -m raft_exp +experiment=pubmedqa         a real study
  python -m raft_exp ... dry_run=true             which stages would run (also: preview=3 until=dataset seed=1)
  python -m raft_exp -m ... dataset.p=0.4,0.8     a sweep; shared stages run once
  python -m raft_exp --help corpus                the settings of one group; --help experiment: the studies; --help all
  python -m raft_exp ... --cfg job                all values of a study, without running it

Write group.field=value for one setting, and group=file for all settings of a file conf/group/file.yaml."""
_INNER = {"judge": "evaluation", "nli": "evaluation", "reranker": "retriever", "task": "teacher"}  # group: its settings
_CHOICES = ("experiment", "debug", "arm", "sweep", "launcher", *_INNER)  # groups with settings explained elsewhere
_MARKS = {
    "experiment": "+experiment",
    "debug": "+debug",
    "arm": "evaluation.arms",
    "judge": "evaluation.judge",
    "nli": "nli@evaluation.nli",
    "reranker": "reranker@retriever.rerank",
}
_NAME = 30  # width of the left column


def help_text(groups: list[str], width: int = 0) -> str:
    """Returns the help for `groups` of settings ("all": every group); an overview if `groups` is empty.

    `width`: width of the text in characters; 0: the terminal's width, but between 80 and 120. Raises ConfigError for an
    unknown group.
    """
    known = [*(name for name, hint in type_hints(Config).items() if dataclasses_in(hint)), *_CHOICES]
    for name in groups:
        if name not in ("all", "study", *known):
            raise ConfigError(f"--help: got {name!r}; {suggest(name, ['all', 'study', *known])}")
    width = width or min(120, max(80, shutil.get_terminal_size().columns))
    shown = ["study", *known] if "all" in groups or not groups else groups
    sections = ["\n".join(_section(name, width, whole=bool(groups))) for name in shown]
    return "\n\n".join([*([] if groups else [_HEAD]), *sections])


def _section(group: str, width: int, whole: bool) -> Iterator[str]:
    if group == "study":
        yield from _study(width)
    elif group in _CHOICES:
        yield from _choices(group, width)
    else:
        yield from _group(group, width, whole)


def _study(width: int) -> Iterator[str]:
    values, comments = read_yaml(conf_dir() / "config.yaml"), field_comments(Config)
    yield "== study =="
    for name, hint in type_hints(Config).items():
        if not dataclasses_in(hint):
            yield from _setting(name, values, name, comments[name], width)


def _group(group: str, width: int, whole: bool) -> Iterator[str]:
    """Yields the help lines of a group: its files, then its settings.

    If each file has its own settings, these are shown only with `whole`.
    """
    kinds, files = dataclasses_in(type_hints(Config)[group]), files_of(group)
    yield f"== {group} =="
    if len(files) > 1:
        yield from _files(group, files, width)
    if len(kinds) == 1:
        default = next((file for file in files if file.stem == "default"), files[0] if files else None)
        yield from _settings(group, kinds[0], default, width)
        return
    if not whole:
        yield f"  Each of them has its own settings; see --help {group}"
        return
    for kind in kinds:
        name = get_args(type_hints(kind)["name"])[0]
        yield f"-- with {group}={name}:"
        yield from _settings(group, kind, next((file for file in files if file.stem == name), None), width)


def _settings(group: str, kind: type, file: Path | None, width: int) -> Iterator[str]:
    values = with_bases(file) if file else YamlFile("", {})
    for key, _, comment in setting_rows(kind):
        if key != "name":
            yield from _setting(f"{group}.{key}", values, key, comment, width)


def _setting(name: str, values: YamlFile, key: str, comment: str, width: int) -> Iterator[str]:
    setting = values.settings.get(key)
    words = (setting.comment if setting else "") or comment
    yield from _line(f"{name}={value_text(setting.value)}" if setting else name, words, width)


def _choices(group: str, width: int) -> Iterator[str]:
    """Yields the help lines of the shipped files of a group, then of those in ./conf."""
    yield f"== {group} =="
    for folder in filter(None, (conf_dir(), own_conf())):
        files = sorted((folder / group).rglob("*.yaml"))
        yield from _files(group, [file for file in files if file.parent.name != "languages"], width)
    if group == "task":
        yield "  Write task@teacher.targets=NAME, task@evaluation.judge.pair=NAME, and so on"
    if group in _INNER:
        yield f"  --help {_INNER[group]} explains their settings"


def _files(group: str, files: list[Path], width: int) -> Iterator[str]:
    for file in files:
        name = file.with_suffix("").as_posix().rpartition(f"/conf/{group}/")[2]
        about = first_sentence(read_yaml(file).about)
        written = name if group in ("arm", "task") else f"{_MARKS.get(group, group)}={name}"
        yield from _line(written, about or "the values of its file", width)


def _line(name: str, words: str, width: int) -> Iterator[str]:
    """Yields a name and its text in two columns. If the name is too wide, the text begins on the next line."""
    wrapped = textwrap.wrap(words, width - _NAME - 4, break_long_words=False, break_on_hyphens=False) or [""]
    if len(name) > _NAME:
        yield f"  {name}"
    else:
        yield f"  {name:<{_NAME}}  {wrapped.pop(0)}".rstrip()
    yield from (f"{' ' * (_NAME + 4)}{line}".rstrip() for line in wrapped)
