"""Figures of the audit, against plain computations."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.errors import ConfigError
from raft_exp.dataset.audit import length_tell
from raft_exp.pipeline.parsing import parse
from tests.helpers.composing import compose
from tests.helpers.worlds import MANY

LENGTHS = st.lists(st.integers(0, 12), min_size=1, max_size=30)


@MANY
@given(gold=LENGTHS, others=LENGTHS, order=st.randoms(use_true_random=False))
def test_the_length_tell_is_the_share_of_pairs_in_which_the_row_without_gold_is_longer(gold, others, order):
    rows = [*((length, 1) for length in gold), *((length, 0) for length in others)]
    order.shuffle(rows)
    pairs = [(other > of_gold) + (other == of_gold) / 2 for other, of_gold in product(others, gold)]
    told = length_tell([length for length, _ in rows], [has_gold for _, has_gold in rows])
    assert told["auc"] == pytest.approx(sum(pairs) / len(pairs), abs=1e-6)
    assert (told["with_gold"], told["without_gold"]) == (len(gold), len(others))


ALONE = ("dataset.num_distractors=0", "dataset.constant_size=false", "dataset.p=0.8")


def test_rows_that_would_quote_without_any_passage_are_refused_before_the_run():
    with pytest.raises(ConfigError, match=r"dataset\.num_distractors: got 0 .*p=0\.8.*use dataset\.constant_size=true"):
        parse(compose(*ALONE, "dataset.no_gold_target=answer"))


@pytest.mark.parametrize(
    "remedy",
    ["dataset.constant_size=true", "dataset.p=1", "dataset.no_gold_target=answer_only", "dataset.num_distractors=1"],
)
def test_every_remedy_is_accepted(remedy):
    parse(compose(*ALONE, remedy))
