"""Paths with any character need no inner quotes on the command line."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.apps.path_arguments import with_quoted_paths

NAMES = ("文档", "über Ordner", "(v1)", "a=b", "it's", "[draft]", "{x}", "a,b", "2024", 'say "hi"', "a;b", "a\\b")


def value(argument: str) -> object:
    (quoted,) = with_quoted_paths([argument])
    return OverridesParser.create().parse_override(quoted).value()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "setting", ["corpus.path", "corpus.questions", "store", "hydra.run.dir", "+arms.x.adapter", "evaluation.labels"]
)
def test_a_folder_that_exists_is_one_text(name, setting, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    (tmp_path / name / "a.txt").touch()
    assert value(f"{setting}={name}") == name
    assert value(f"{setting}=./{name}") == f"./{name}"
    assert value(f"{setting}={tmp_path}/{name}/a.txt") == f"{tmp_path}/{name}/a.txt"


letters = st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters="/$")


@given(st.text(letters, min_size=1, max_size=12).filter(lambda name: name.strip(" .") == name))
def test_any_name_of_a_folder(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("any")
    (folder / name).mkdir()
    assert value(f"corpus.path={folder}/{name}") == f"{folder}/{name}"


@pytest.mark.parametrize(
    "argument",
    [
        "corpus.path='(v1)'",
        'corpus.path="it\'s"',
        "corpus.path=null",
        "corpus.test=0.2",
        "corpus.path=a,b",  # a sweep, where no folder has this name
        "corpus.path=${oc.env:HOME}/docs",
        "evaluation.arms=[rag,raft]",
        "dataset.mixed={random: 0.5}",
        "-m",
        "~corpus",
        "prompt.system=(x",
    ],
)
def test_other_arguments_stay_as_they_are(argument):
    assert with_quoted_paths([argument]) == [argument]
