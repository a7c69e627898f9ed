from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from raft_exp.core.errors import DataError
from raft_exp.models import loading as models
from raft_exp.models import tokens
from raft_exp.training import data
from raft_exp.training.data import IGNORED, MicroBatches, TrainingPlan
from raft_exp.training.rows import Rows, encode, read
from tests.helpers import small_training as small


@pytest.fixture(scope="module")
def tokenizer():
    return models.load_tokenizer("asset:tiny")


def rows_of(count: int, prefix: str = "q") -> Rows:
    completions = np.arange(count) % 3 + 1
    lengths = np.arange(count) % 5 + 5
    return Rows(
        [f"{prefix}{n}" for n in range(count)], np.arange(lengths.sum(), dtype=np.int32), lengths.cumsum(), completions
    )


def encoded(tmp_path, examples, tokenizer, max_length=512) -> Rows:
    return encode(examples, tokenizer, max_length, tmp_path / "rows")


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("pad_is_eos", [False, True])
def test_targets_are_the_completion_and_one_end_token(tmp_path, pad_is_eos, packing):
    tokenizer = models.load_tokenizer("asset:tiny")
    if pad_is_eos:
        tokenizer.pad_token = tokenizer.eos_token
    examples = [small.example(0, "train", passages=1), small.example(1, "train", passages=4)]
    rows = encoded(tmp_path, examples, tokenizer)
    batch = data.collate(rows, [0, 1], packing)
    shown = batch["inputs"]["input_ids"]
    for line, example in enumerate(examples):
        prompt = tokens.encode_prompt(tokenizer, example.messages[:-1])
        expected = tokens.encode_completion(tokenizer, example.messages[-1]["content"])
        assert expected.count(tokenizer.eos_token_id) == 1
        if packing:
            begin, end = batch["inputs"]["cu_seq_lens_q"][line : line + 2].tolist()
            ids, inside = shown[0, begin:end], (batch["keep"] >= begin) & (batch["keep"] < end)
            keep, targets = batch["keep"][inside] - begin, batch["targets"][inside]
            assert batch["inputs"]["position_ids"][0, begin:end].tolist() == list(range(end - begin))
        else:
            supervised = batch["targets"][line] != IGNORED
            ids, keep, targets = shown[line], batch["keep"][supervised], batch["targets"][line][supervised]
        assert targets.tolist() == expected
        assert ids[: len(prompt) + len(expected)].tolist() == prompt + expected
        # one run of positions, of which the first is the last that inference shows
        assert keep.tolist() == list(range(len(prompt) - 1, len(prompt) + len(expected) - 1))


def test_nothing_but_rows_is_packed(tmp_path, tokenizer):
    rows = encoded(tmp_path, [small.example(n, "train", 1 + n) for n in range(3)], tokenizer)
    inputs = data.collate(rows, [2, 0, 1], packing=True)["inputs"]
    assert inputs["input_ids"].shape == (1, rows.lengths.sum())
    assert inputs["input_ids"][0].tolist() == [*rows.row(2), *rows.row(0), *rows.row(1)]
    assert inputs["cu_seq_lens_q"].diff().tolist() == [rows.lengths[number] for number in (2, 0, 1)]
    assert inputs["max_length_q"] == rows.lengths.max()


def test_rows_are_encoded_once_and_mapped(tmp_path, tokenizer, monkeypatch):
    dataset = small.dataset(tmp_path / "dataset", train=5, validation=2)
    first = read(dataset, "train", tokenizer, 512, tmp_path / "rows" / "train")
    monkeypatch.setattr(tokens, "encode_prompt", None)  # a second encoding would call it
    again = read(dataset, "train", tokenizer, 512, tmp_path / "rows" / "train")
    assert again.ids == first.ids
    assert [again.row(n).tolist() for n in range(5)] == [first.row(n).tolist() for n in range(5)]
    assert isinstance(again.tokens.base, np.memmap)


def test_rows_that_a_kill_left_half_written_are_encoded_anew(tmp_path, tokenizer):
    class KilledError(Exception):
        pass

    def examples():
        yield small.example(0, "train")
        raise KilledError

    with pytest.raises(KilledError):
        encode(examples(), tokenizer, 512, tmp_path / "rows" / "train")
    dataset = small.dataset(tmp_path / "dataset", train=5, validation=0)
    assert read(dataset, "train", tokenizer, 512, tmp_path / "rows" / "train").ids == [f"q{n}" for n in range(5)]


def test_rows_whose_answer_would_be_cut_off_are_refused_by_id(tmp_path, tokenizer):
    examples = [small.example(0, "train", 1), small.example(1, "train", 8)]
    longest = len(encoded(tmp_path, examples, tokenizer, 10_000).row(1))
    assert len(encoded(tmp_path, examples, tokenizer, longest)) == 2
    with pytest.raises(DataError, match=rf"1 rows are longer than model.max_length={longest - 1} tokens \(q1\)"):
        encoded(tmp_path, examples, tokenizer, longest - 1)


def test_rows_without_a_reply_are_refused(tmp_path, tokenizer):
    with pytest.raises(DataError, match="row q0: its last message must be an assistant"):
        encoded(tmp_path, [small.example(0, "test")], tokenizer)


def test_rows_with_nothing_to_learn_are_refused(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr(tokens, "encode_completion", lambda tokenizer, text: [tokenizer.eos_token_id])
    with pytest.raises(DataError, match="row q0: the tokenizer gives no token for its reply"):
        encoded(tmp_path, [small.example(0, "train")], tokenizer)


def test_rows_without_a_supervised_end_are_refused(tmp_path, tokenizer):
    broken = small.example(0, "train")
    broken.messages[-1]["content"] = "##Answer: </s> 1200"  # a control token in the middle of the reply
    with pytest.raises(DataError, match="row q0: its reply contains the end token "):
        encoded(tmp_path, [broken], tokenizer)


def test_order_follows_from_the_ids_alone():
    names = [f"q{n}" for n in range(50)]
    first = [names[n] for n in data.order(names, seed=1, epoch=0)]
    backwards = names[::-1]
    assert [backwards[n] for n in data.order(backwards, seed=1, epoch=0)] == first
    assert first != names
    assert [names[n] for n in data.order(names, seed=1, epoch=1)] != first
    assert [names[n] for n in data.order(names, seed=2, epoch=0)] != first


def test_every_epoch_has_every_row_once():
    plan = TrainingPlan.make(rows_of(10), seed=0, batch_size=4, max_epochs=2, max_steps=-1)
    assert [len(step) for step in plan.steps] == [4, 4, 2, 4, 4, 2]
    for epoch in (plan.steps[:3], plan.steps[3:]):
        assert sorted(number for step in epoch for number in step) == list(range(10))
    assert TrainingPlan.make(rows_of(10), 0, 4, 2, max_steps=4).steps == plan.steps[:4]


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize(("accumulate", "world_size"), [(1, 1), (4, 1), (2, 2), (1, 4)])
def test_micro_batches_share_out_each_step(accumulate, world_size, packing):
    plan = TrainingPlan.make(rows_of(10), seed=0, batch_size=8, max_epochs=1, max_steps=-1)
    shares = [list(MicroBatches(plan, 0, accumulate, rank, world_size, packing)) for rank in range(world_size)]
    assert {len(share) for share in shares} == {len(plan.steps) * accumulate}
    for step, expected in enumerate(plan.steps):
        seen = Counter()
        for share in shares:
            parts = share[step * accumulate : (step + 1) * accumulate]
            assert [index for index, _ in parts] == list(range(accumulate))
            seen.update(number for _, numbers in parts for number in numbers)
        assert seen == Counter(expected)


@pytest.mark.parametrize(
    ("enough", "processes", "parts"), [(53, 1, 1), (52, 1, 2), (26, 1, 4), (1, 1, 8), (27, 2, 1), (26, 2, 2), (1, 4, 2)]
)
def test_as_many_micro_batches_as_keep_each_small(monkeypatch, enough, processes, parts):
    monkeypatch.setattr(data, "ENOUGH", enough)
    plan = TrainingPlan(rows_of(8), [list(range(8)), [0]])
    assert plan.tokens(0) == 53
    assert plan.micro_batches(8, processes) == parts


def test_micro_batches_start_where_training_stopped():
    plan = TrainingPlan.make(rows_of(10), seed=0, batch_size=4, max_epochs=2, max_steps=-1)
    whole = list(MicroBatches(plan, 0, 2, 0, 1, True))
    assert list(MicroBatches(plan, 4, 2, 0, 1, True)) == whole[8:]


def test_packed_micro_batches_have_about_the_same_tokens():
    lengths = np.random.default_rng(0).integers(50, 3000, 64)
    parts = data.deal(sorted(range(64), key=lambda number: -lengths[number]), lengths, 8)
    tokens_of = [int(lengths[part].sum()) for part in parts]
    assert max(tokens_of) < 1.05 * min(tokens_of)


@pytest.mark.parametrize("packing", [False, True])
def test_a_micro_batch_without_rows_supervises_nothing(packing):
    batch = data.collate(rows_of(3), [], packing)
    assert batch["inputs"]["input_ids"].shape[0] == 1
    assert batch["rows"] == 0
    assert bool((batch["targets"] == IGNORED).all())
    assert batch["keep"].dtype == torch.int64


@given(
    completions=st.lists(st.integers(1, 40), min_size=1, max_size=30),
    batch_size=st.integers(1, 9),
    wanted=st.integers(1, 2000),
    seed=st.integers(0, 5),
)
def test_a_plan_of_tokens_is_longer_than_they_by_less_than_one_row_and_has_the_steps_of_an_ordinary_plan(
    completions, batch_size, wanted, seed
):
    lengths = np.array(completions) + 3
    ids = [f"q{place}" for place in range(len(completions))]
    rows = Rows(ids, np.zeros(lengths.sum(), dtype=np.int32), lengths.cumsum(), np.array(completions))
    plan = TrainingPlan.of_tokens(rows, seed, batch_size, wanted)
    learned = sum(map(plan.supervised, range(len(plan.steps))))
    assert wanted <= learned < wanted + completions[plan.steps[-1][-1]]
    ordinary = TrainingPlan.make(rows, seed, batch_size, max_epochs=1, max_steps=len(plan.steps))
    assert plan.steps[:-1] == ordinary.steps[:-1]
    assert plan.steps[-1] == ordinary.steps[-1][: len(plan.steps[-1])]
