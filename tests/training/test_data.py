from collections import Counter

import numpy as np
import pytest
import torch

from raft_exp import models
from raft_exp.errors import DataError
from raft_exp.prompts import tokens
from raft_exp.training import data
from raft_exp.training.data import IGNORED, MicroBatches, Plan, Rows
from tests import small


@pytest.fixture(scope="module")
def tokenizer():
    return models.load_tokenizer("asset:tiny")


def rows_of(count: int, prefix: str = "q") -> Rows:
    completions = np.arange(count) % 3 + 1
    lengths = np.arange(count) % 5 + 5
    return Rows(
        [f"{prefix}{n}" for n in range(count)], np.arange(lengths.sum(), dtype=np.int32), lengths.cumsum(), completions
    )


@pytest.mark.parametrize("pad_is_eos", [False, True])
def test_labels_are_the_completion_and_one_end_token(tokenizer, pad_is_eos):
    tokenizer = models.load_tokenizer("asset:tiny")
    if pad_is_eos:
        tokenizer.pad_token = tokenizer.eos_token
    examples = [small.example(0, "train", passages=1), small.example(1, "train", passages=4)]
    batch = data.collate(data.encode(examples, tokenizer, 512), [0, 1])
    for line, example in enumerate(examples):
        labels = batch["labels"][line]
        supervised = (labels != IGNORED).nonzero().squeeze(1)
        expected = tokens.encode_completion(tokenizer, example.messages[-1]["content"])
        assert labels[supervised].tolist() == expected
        assert expected.count(tokenizer.eos_token_id) == 1
        # one run of positions, of which the first follows the prompt that inference shows
        assert supervised.tolist() == list(range(int(supervised[0]), int(supervised[-1]) + 1))
        prompt = tokens.encode_prompt(tokenizer, example.messages[:-1])
        assert batch["input_ids"][line, : supervised[0]].tolist() == prompt
        assert batch["input_ids"][line, supervised].tolist() == expected


def test_keep_is_where_labels_are_predicted(tokenizer):
    batch = data.collate(data.encode([small.example(n, "train", 1 + n) for n in range(3)], tokenizer, 512), [0, 1, 2])
    predicted = (batch["labels"] != IGNORED).any(dim=0).nonzero().squeeze(1) - 1
    assert batch["keep"].tolist() == predicted.tolist()


def test_over_long_rows_are_refused_by_id(tokenizer):
    examples = [small.example(0, "train", 1), small.example(1, "train", 8)]
    longest = len(data.encode(examples, tokenizer, 10_000).row(1))
    assert len(data.encode(examples, tokenizer, longest)) == 2
    with pytest.raises(DataError, match=rf"1 rows are longer than model.max_length={longest - 1} tokens \(q1\)"):
        data.encode(examples, tokenizer, longest - 1)


def test_rows_without_a_reply_are_refused(tokenizer):
    with pytest.raises(DataError, match="row q0: has no assistant message"):
        data.encode([small.example(0, "test")], tokenizer, 512)


def test_order_follows_from_the_ids_alone():
    names = [f"q{n}" for n in range(50)]
    first = [names[n] for n in data.order(names, seed=1, epoch=0)]
    backwards = names[::-1]
    assert [backwards[n] for n in data.order(backwards, seed=1, epoch=0)] == first
    assert first != names
    assert [names[n] for n in data.order(names, seed=1, epoch=1)] != first
    assert [names[n] for n in data.order(names, seed=2, epoch=0)] != first


def test_every_epoch_has_every_row_once():
    plan = Plan.make(rows_of(10), seed=0, batch_size=4, max_epochs=2, max_steps=-1)
    assert [len(step) for step in plan.steps] == [4, 4, 2, 4, 4, 2]
    for epoch in (plan.steps[:3], plan.steps[3:]):
        assert sorted(number for step in epoch for number in step) == list(range(10))
    assert Plan.make(rows_of(10), 0, 4, 2, max_steps=4).steps == plan.steps[:4]


@pytest.mark.parametrize(("accumulate", "world_size"), [(1, 1), (4, 1), (2, 2), (1, 4)])
def test_micro_batches_share_out_each_step(accumulate, world_size):
    plan = Plan.make(rows_of(10), seed=0, batch_size=8, max_epochs=1, max_steps=-1)
    shares = [list(MicroBatches(plan, 0, accumulate, rank, world_size)) for rank in range(world_size)]
    assert {len(share) for share in shares} == {len(plan.steps) * accumulate}
    for step, expected in enumerate(plan.steps):
        seen = Counter()
        for share in shares:
            parts = share[step * accumulate : (step + 1) * accumulate]
            assert [index for index, _ in parts] == list(range(accumulate))
            seen.update(number for _, numbers in parts for number in numbers)
        assert seen == Counter(expected)


def test_micro_batches_start_where_training_stopped():
    plan = Plan.make(rows_of(10), seed=0, batch_size=4, max_epochs=2, max_steps=-1)
    whole = list(MicroBatches(plan, 0, 2, 0, 1))
    assert list(MicroBatches(plan, 4, 2, 0, 1)) == whole[8:]


def test_a_micro_batch_without_rows_supervises_nothing():
    batch = data.collate(rows_of(3), [])
    assert batch["input_ids"].shape[0] == 1
    assert batch["rows"] == 0
    assert bool((batch["labels"] == IGNORED).all())
    assert batch["keep"].dtype == torch.int64
