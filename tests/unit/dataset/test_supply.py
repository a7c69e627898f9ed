"""The error where questions have too few distractors: its counts, and the remedies, which must help."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.errors import DataError
from raft_exp.dataset.supply import SettingNames
from tests.helpers.worlds import MANY, study, worlds


@pytest.mark.slow
@MANY
@given(worlds(), st.floats(0, 1), st.integers(1, 20), st.integers(0, 2**16))
def test_too_few_distractors_are_an_error_with_remedies_that_help(world, p, wanted, seed):
    with study(world) as made:

        def ask(**how):
            return made.ask(**{"p": p, "seed": seed, "num_distractors": wanted, "allow_fewer": False} | how)

        allowed = ask(allow_fewer=True)
        full = [wanted + len(made.gold(job.question) - made.shown(job)) for job in allowed.values()]
        short = sum(len(made.distractors(job)) < size for job, size in zip(allowed.values(), full, strict=True))
        if not short:
            assert ask().keys() == allowed.keys()
            return
        with pytest.raises(DataError) as error:
            ask()
        message = str(error.value)
        assert re.search(rf"\d+ of \d+ distractors are left \(dataset.num_distractors={wanted}\W", message), message
        assert f"and {short} of {len(allowed)} train questions have too few; the pool holds the " in message
        assert message.endswith("add documents, or set dataset.allow_fewer=true to go on with fewer")
        if fewer := re.search(r"; set dataset.num_distractors=(\d+)", message):
            assert ask(num_distractors=int(fewer[1]))
            with pytest.raises(DataError):
                ask(num_distractors=int(fewer[1]) + 1)
        else:
            with pytest.raises(DataError):
                ask(num_distractors=1)
        if wider := re.search(r"set dataset.same_document=true(?: and dataset.num_distractors=(\d+))?", message):
            assert ask(same_document=True, num_distractors=int(wider[1] or wanted))
        else:
            with pytest.raises(DataError):
                ask(same_document=True, num_distractors=int(fewer[1]) + 1 if fewer else 1)
        if answers := re.search(
            r"dataset.allow_answer_in_distractor=true(?: and dataset.num_distractors=(\d+))?", message
        ):
            assert ask(answer_allowed=True, num_distractors=int(answers[1] or wanted))
        else:
            with pytest.raises(DataError):
                ask(answer_allowed=True, num_distractors=int(fewer[1]) + 1 if fewer else 1)


def test_the_message_names_the_setting_that_holds_the_value():
    names = SettingNames.of("evaluation", {"num_distractors": 2}, "evaluation.conditions.k2")
    assert names.num_distractors == "evaluation.conditions.k2.num_distractors"
    assert names.allow_fewer == "evaluation.allow_fewer"
