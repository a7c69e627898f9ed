"""The primary contrast: named in the configuration, or by fixed rules; unknown names are refused before any stage."""

import pytest

from raft_exp.core.errors import ConfigError
from raft_exp.pipeline.build import build
from raft_exp.pipeline.config import primary_of
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose

QUOTING = "evaluation.primary.metric=supporting_f1"


def primary(*overrides: str) -> tuple[str, str, str | None]:
    found = primary_of(parse(compose("+experiment=quickstart", *overrides)))
    return found["metric"], found["arm"], found["against"]


@pytest.mark.parametrize(
    ("overrides", "wanted"),
    [
        ([], ("exact_match", "raft", "rag")),
        (["evaluation.arms=[base,sft,sft_rag,raft]"], ("exact_match", "raft", "sft_rag")),
        (["evaluation.arms=[base,sft,raft]"], ("exact_match", "raft", "base")),
        (["evaluation.arms=[base,rag]"], ("exact_match", "rag", "base")),
        (["evaluation.arms=[raft]"], ("exact_match", "raft", None)),
        (["evaluation.primary.metric=f1", "evaluation.primary.against=sft"], ("f1", "raft", "sft")),
        (["evaluation.metrics=[best_subspan_em]", "evaluation.primary.metric=best_subspan_em"], ("best_subspan_em",)),
        (["evaluation.primary.arm=rag"], ("exact_match", "rag", "sft_rag")),
    ],
)
def test_what_is_named_and_the_rules_for_the_rest(overrides: list[str], wanted: tuple[str, ...]) -> None:
    assert primary(*overrides)[: len(wanted)] == wanted


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["evaluation.primary.metric=f2"], r"evaluation.primary.metric: got 'f2'; did you mean 'f1'\?"),
        (
            ["evaluation.primary.metric=accuracy"],
            r"evaluation.primary.metric: got 'accuracy'; .*known: answer_in_reply",
        ),
        (["evaluation.primary.arm=raf"], r"evaluation.primary.arm: got 'raf'; did you mean 'raft'\?"),
        (["evaluation.arms=[base,raft]", "evaluation.primary.against=rag"], "evaluation.primary.against: got 'rag'; "),
        (
            ["evaluation.primary.against=raft"],
            "evaluation.primary.against: got 'raft', which is the primary arm itself",
        ),
        (["corpus=hotpotqa", "corpus.path=x", QUOTING], "'supporting_f1', which grades quotes, but the arm 'rag'"),
    ],
)
def test_an_unknown_name_is_refused_in_one_line(overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as told:
        primary(*overrides)
    assert len(str(told.value).splitlines()) == 1


def test_the_contrast_changes_the_report_and_nothing_else() -> None:
    def keys(*overrides: str) -> dict[str, str]:
        stages = build(parse(compose("+experiment=quickstart", *overrides)), lambda files: {})
        return {stage.label: stage.key for stage in stages}

    first, other = keys(), keys("evaluation.primary.metric=f1")
    assert [label for label in first if first[label] != other[label]] == ["report"]
