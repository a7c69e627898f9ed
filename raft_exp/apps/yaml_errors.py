"""Rewrites errors in the user's own YAML files as one-line ConfigErrors with file, line and remedy."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import yaml

from raft_exp.core.errors import ConfigError, suggest
from raft_exp.pipeline.config import conf_dir


def explained_yaml(error: yaml.YAMLError | ValueError) -> ConfigError | None:
    """Returns a ConfigError for a file of the user that cannot be read; None if `error` is about another file."""
    if match := re.search(r"defaults list in '([^']+)'", str(error)):
        return _not_a_list(match[1])
    if re.match("Unsupported type in defaults", str(error)):
        return next(filter(None, (_with_nested_list(file) for file in _own_files())), None)
    if isinstance(error, UnicodeDecodeError):
        return next(_undecodable(), None)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        reason = error.problem or "not YAML"
        remedy = "indent with spaces instead of tabs" if "\\t" in reason else "correct the line"
        return ConfigError(f"{mark.name}, line {mark.line + 1}: {reason}; {remedy}")
    if isinstance(error, yaml.reader.ReaderError) and Path(str(error.name)).is_file():
        before = Path(str(error.name)).read_text(encoding="utf-8", errors="replace")[: error.position]
        sign = f"the character U+{ord(error.character):04X}" if isinstance(error.character, str) else "a character"
        line = before.count("\n") + 1
        return ConfigError(f"{error.name}, line {line}: {sign} is not allowed in YAML; save the file as UTF-8 text")
    return None


def _not_a_list(name: str) -> ConfigError | None:
    own = own_conf()
    file = own / f"{name}.yaml" if own else None
    if file is None or not file.is_file():
        return None
    lines = file.read_text(encoding="utf-8").splitlines()
    line = next((number for number, text in enumerate(lines, start=1) if text.startswith("defaults")), 1)
    return ConfigError(f"{file}, line {line}: defaults is not a list; write defaults: [default]")


def _with_nested_list(file: Path) -> ConfigError | None:
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    entries = values.get("defaults") if isinstance(values, dict) else None
    if not isinstance(entries, list) or all(isinstance(entry, str | dict) for entry in entries):
        return None
    return ConfigError(f"{file}: defaults contains another list; write only names, as in defaults: [default]")


def _undecodable() -> Iterator[ConfigError]:
    """Yields a ConfigError for each file of the user that is not UTF-8."""
    for file in _own_files():
        data = file.read_bytes()
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data[: error.start].count(b"\n") + 1
            byte = f"byte 0x{data[error.start]:02x}"
            yield ConfigError(f"{file}, line {line}: {byte} is not UTF-8; save the file as UTF-8")


def own_conf() -> Path | None:
    """Returns the folder `conf` of the working directory; None if there is none, or if it is the shipped folder."""
    folder = Path.cwd() / "conf"
    return folder if folder.is_dir() and not folder.samefile(conf_dir()) else None


def _own_files() -> Iterator[Path]:
    if folder := own_conf():
        yield from sorted(folder.rglob("*.yaml"))


def with_place(error: ConfigError, choices: Mapping[str, object], overrides: Iterable[str]) -> ConfigError:
    """Returns the error of a setting with file and line added, if the setting is in a YAML file of the user.

    If such a file lacks settings, returns an error that explains how to complete the file (`_without_defaults`).
    `choices`: the chosen option of each group, from Hydra. `overrides`: the settings of the command line. Errors of
    these settings are returned unchanged, because they are not in a file.
    """
    folder = own_conf()
    if folder and (whole := re.match(r"([\w.]+): got .*; must be an object$", str(error))):
        file = folder / whole[1].replace(".", "/") / f"{choices.get(whole[1].replace('.', '/'))}.yaml"
        return _without_defaults(error, whole[1], file) if file.is_file() else error
    match = re.match(r"([\w.]+)\.(\w+): ", str(error))
    if not match or not folder or any(word.lstrip("+~").startswith(f"{match[1]}.{match[2]}=") for word in overrides):
        return error
    group, name = match.groups()
    file = folder / group.replace(".", "/") / f"{choices.get(group.replace('.', '/'))}.yaml"
    if file.is_file():
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if re.match(rf"\s*['\"]?{name}['\"]?\s*:", line):
                return ConfigError(f"{error} ({file}, line {number})")
        if "has no value" in str(error):
            return _without_defaults(error, group, file)
    return error


def _without_defaults(error: ConfigError, group: str, file: Path) -> ConfigError:
    """Returns an error that explains how to complete the user's `file`, in which settings of `group` are missing.

    Returns `error` unchanged if the file has a `defaults` list.
    """
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        return ConfigError(
            f"{file}: has no settings; write one in each line as 'name: value', below 'defaults: [default]'"
        )
    if "defaults" not in values:
        names = ", ".join(re.findall(rf"{re.escape(group)}\.(\w+): has no value", str(error)))
        return ConfigError(
            f"{file}: has no {names}; add them, or begin the file with 'defaults: [default]' for their default values"
        )
    return error


def line_with(name: str, sign: str) -> str:
    """Returns "FILE, line N" of the first place in the user's files that sets `name` to a text with `sign`; else ""."""
    setting = re.compile(rf"\s*['\"]?{re.escape(name.rpartition('.')[2])}['\"]?\s*:.*{re.escape(sign)}")
    for file in _own_files():
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            if setting.match(line):
                return f"{file}, line {number}"
    return ""


def missing_default(text: str) -> ConfigError | None:
    """Returns a ConfigError if a `defaults` list in a file of the user names a missing file; None for other errors.

    `text`: the message of Hydra's error.
    """
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
