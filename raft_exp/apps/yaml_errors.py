"""Errors in a user's own YAML files as ConfigErrors of one line: the file, the line and the remedy."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import yaml

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.pipeline.config import conf_dir


def explained_yaml(error: yaml.YAMLError | UnicodeDecodeError) -> ConfigError | None:
    """The ConfigError for a file that cannot be read; None where no file of the user's has this fault."""
    if isinstance(error, UnicodeDecodeError):
        return next(_undecodable(), None)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        reason = error.problem or "not YAML"
        remedy = "indent with blanks, and write no tab" if "\\t" in reason else "correct the line"
        return ConfigError(f"{mark.name}, line {mark.line + 1}: {reason}; {remedy}")
    if isinstance(error, yaml.reader.ReaderError) and Path(str(error.name)).is_file():
        before = Path(str(error.name)).read_text(encoding="utf-8", errors="replace")[: error.position]
        sign = f"the character U+{ord(error.character):04X}" if isinstance(error.character, str) else "a sign"
        line = before.count("\n") + 1
        return ConfigError(f"{error.name}, line {line}: {sign} cannot stand in YAML; save the file as UTF-8 text")
    return None


def _undecodable() -> Iterator[ConfigError]:
    """Errors for the user's files that are not UTF-8."""
    for file in _own_files():
        data = file.read_bytes()
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            byte = f"byte 0x{data[error.start]:02x}"
            yield ConfigError(f"{file}, line {line}: {byte} is not UTF-8; save the file as UTF-8")


def own_conf() -> Path | None:
    """The folder `conf` of the working directory; None without one, and where it is the shipped one."""
    folder = Path.cwd() / "conf"
    return folder if folder.is_dir() and not folder.samefile(conf_dir()) else None


def _own_files() -> Iterator[Path]:
    if folder := own_conf():
        yield from sorted(folder.rglob("*.yaml"))


def with_place(error: ConfigError, choices: Mapping[str, object], overrides: Iterable[str]) -> ConfigError:
    """The error of a setting with the place of its line in a file of the user's that was chosen for its group.

    `choices`: group -> the option chosen for it (Hydra's). `overrides`: those of the command line, which are not in a
    file.
    """
    match, folder = re.match(r"([\w.]+)\.(\w+): ", str(error)), own_conf()
    if not match or not folder or any(word.lstrip("+~").startswith(f"{match[1]}.{match[2]}=") for word in overrides):
        return error
    group, name = match.groups()
    file = folder / group.replace(".", "/") / f"{choices.get(group.replace('.', '/'))}.yaml"
    if file.is_file():
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if re.match(rf"\s*['\"]?{name}['\"]?\s*:", line):
                return ConfigError(f"{error} ({file}, line {number})")
    return error


def missing_default(text: str) -> ConfigError | None:
    """The ConfigError for an entry of `defaults` in a file of the user's that names no file; None for other errors."""
    match = re.match(r"In '([^']+)': Could not (?:load|find) '([^']+)'", text)
    own = own_conf()
    file = own / f"{match[1]}.yaml" if own and match else None
    if not match or not own or not file or not file.is_file():
        return None
    folder, _, name = match[2].rpartition("/")
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
    line = next((number for number, text in lines if name in text), 1)
    known = {option.stem for conf in (conf_dir(), own) for option in (conf / folder).glob("*.yaml")}
    return ConfigError(f"{file}, line {line}: defaults: got {name!r}; {suggest(name, sorted(known - {file.stem}))}")
