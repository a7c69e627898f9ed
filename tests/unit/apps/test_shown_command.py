"""A command that is shown on a page: what can be known of it, without the folders of a machine and without secrets."""

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.apps.path_arguments import with_quoted_paths
from raft_exp.apps.shown_command import shown_command, without_places

SECRET = "verysecretfolder"
NAME = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="/\\"), max_size=8)
FOLDERS = st.lists(st.builds(lambda before, after: f"{before}{SECRET}{after}", NAME, NAME), min_size=1, max_size=3)
START = st.sampled_from(["/", "~/", "~anna/", "../", "../../", "/home/"])


@given(START, FOLDERS)
def test_a_path_of_any_letters_leaves_its_last_name_alone(start: str, folders: list[str]) -> None:
    (word,) = with_quoted_paths([f"corpus.path={start}{'/'.join(folders)}/docs"])
    shown = shown_command("python -m raft_exp", [word, "seed=1"])
    assert shown == "python -m raft_exp 'corpus.path=\N{HORIZONTAL ELLIPSIS}/docs' seed=1"


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("dataset.p=0.4", "dataset.p=0.4"),
        ("corpus.path='data/my docs'", "corpus.path=data/my docs"),
        ("evaluation.arms=[rag,raft]", "evaluation.arms=[rag,raft]"),
        ("~evaluation.conditions.k4", "~evaluation.conditions.k4"),
        ("corpus.path=[/home/anna/a,'/home/anna/b, c']", "corpus.path=[…/a,…/b, c]"),
        ("+arms.mine={adapter: /home/anna/runs/1, recipe: none}", "+arms.mine={adapter: …/1, recipe: none}"),
        ("note='see /home/anna/models, or https://host/page'", "note=see …/models, or https://host/page"),
        ("store=C:\\Users\\anna\\store", "store=…/store"),
        ("/home/anna/runs/one", "…/one"),
        ("runs/quickstart/one", "runs/quickstart/one"),
        ("teacher.headers.Authorization=abcdefgh", "teacher.headers.Authorization=(not shown)"),
        ("teacher.note=sk-abcdefghijklmnopqrstuvwx", "teacher.note=(not shown)"),
        ("hf_abcdefghijklmnopqrstuvwx=1", "(not shown)"),
    ],
)
def test_words_are_shown(word: str, shown: str) -> None:
    assert shlex.split(shown_command("raft", [word])) == ["raft", shown]


def test_the_value_of_a_secret_variable_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SERVICE_TOKEN", "correct-horse-battery")
    assert shown_command("raft", ["note=correct-horse-battery"]) == "raft 'note=(not shown)'"


@given(st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False))
def test_settings_without_paths_are_the_same_for_hydra(value: object) -> None:
    word = f"a.b={str(value).lower()}"
    (shown,) = shlex.split(shown_command("", [word]))
    parse = OverridesParser.create().parse_override
    assert parse(shown).value() == parse(word).value()


def test_places_are_hidden_in_names_and_values_and_texts_are_kept() -> None:
    found = {"/home/u/m": [("/home/u/questions.csv", "x")], "prompt": "<a>\n</a></b> yes / no"}
    assert without_places(found) == {
        "\N{HORIZONTAL ELLIPSIS}/m": [["\N{HORIZONTAL ELLIPSIS}/questions.csv", "x"]],
        "prompt": "<a>\n</a></b> yes / no",
    }
