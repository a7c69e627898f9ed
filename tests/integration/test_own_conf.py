"""A user's YAML file that cannot be read, or that has a typo, is one line with the file and the line."""

import pytest

from raft_exp.apps.yaml_errors import own_conf, with_place
from raft_exp.core.errors import ConfigError
from raft_exp.pipeline.config import conf_dir
from tests.helpers.command_line import raft_exp

START = "defaults: [default]\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (f"{START}system: präzise.\n".encode("cp1252"), 2, "byte 0xe4 is not UTF-8; save the file as UTF-8"),
        (f"{START}system: x\n".encode("utf-16"), 1, "byte 0xff is not UTF-8"),
        (f"{START}system:\tBe brief.\n".encode(), 2, "indent with spaces instead of tabs"),
        (f"{START}system: [a\n".encode(), 3, "expected ',' or ']'"),
        (f"{START}system: a\x00b\n".encode(), 2, "is not allowed in YAML"),
        (f"{START}sytem: x\n".encode(), 2, "no such setting; did you mean 'system'"),
        (f"{START}reply_format: papr\n".encode(), 2, "got 'papr'"),
        (b"defaults: [defalt]\n", 1, "got 'defalt'; did you mean 'default'"),
        (b"defaults: default\nsystem: x\n", 1, "defaults is not a list; write defaults: [default]"),
        (f"{START}system: ${{\n".encode(), 2, "${NAME} stands for another setting"),
        (f"{START}system: ${{nope}}\n".encode(), 2, "'nope' not found"),
    ],
)
def test_a_fault_in_a_file_of_the_users_is_one_line(content, line, says, tmp_path):
    (tmp_path / "conf" / "prompt").mkdir(parents=True)
    (tmp_path / "conf" / "prompt" / "mine.yaml").write_bytes(content)
    (tmp_path / "a(1)").mkdir()
    (tmp_path / "a(1)" / "a.txt").write_text("Velmor is a town.")
    done = raft_exp(
        tmp_path,
        *("+experiment=documents", "until=ingest", "model=tiny", "trainer=cpu", "corpus.path=a(1)", "prompt=mine"),
    )
    assert done.returncode == 2
    (message,) = done.stderr.splitlines()
    assert message.startswith("ConfigError: ")
    assert f"{tmp_path / 'conf' / 'prompt' / 'mine.yaml'}, line {line}" in message
    assert says in message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "has no settings; write one in each line as 'name: value'"),
        ("hello\n", "has no settings"),
        ("- a\n- b\n", "has no settings"),
        (
            "system: x\n",
            "has no task, answer_instruction, reason_instruction; add them, or begin the file with 'defaults: [def",
        ),
        ("defaults: [[default]]\n", "defaults contains another list"),
    ],
)
def test_a_file_without_settings_or_defaults_is_named(content, says, tmp_path):
    (tmp_path / "conf" / "prompt").mkdir(parents=True)
    (tmp_path / "conf" / "prompt" / "mine.yaml").write_text(content)
    done = raft_exp(tmp_path, "model=tiny", "trainer=cpu", "until=ingest", "prompt=mine")
    assert done.returncode == 2
    (message,) = done.stderr.splitlines()
    assert message.startswith(f"ConfigError: {tmp_path / 'conf' / 'prompt' / 'mine.yaml'}: ")
    assert says in message


def test_a_value_of_the_command_line_is_in_no_file(tmp_path, monkeypatch):
    (tmp_path / "conf" / "dataset").mkdir(parents=True)
    (tmp_path / "conf" / "dataset" / "mine.yaml").write_text("defaults: [default]\np: 0.8\n")
    monkeypatch.chdir(tmp_path)
    error = ConfigError("dataset.p: got 1.4; must be less than or equal to 1")
    choices = {"dataset": "mine"}
    assert with_place(error, choices, ["dataset.p=1.4"]) is error
    assert str(with_place(error, choices, ["seed=1"])).endswith(f"({tmp_path / 'conf/dataset/mine.yaml'}, line 2)")


def test_the_shipped_settings_are_no_files_of_the_user(monkeypatch):
    monkeypatch.chdir(conf_dir().parent)
    error = ConfigError("dataset.p: got 1.4; must be less than or equal to 1")
    assert own_conf() is None
    assert with_place(error, {"dataset": "default"}, []) is error
