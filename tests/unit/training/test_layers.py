"""The measurement of a forward pass's activations."""

import gc
import weakref

import numpy as np
import pytest
import torch
import torch.distributed as dist

from raft_exp.models import loading
from raft_exp.training import adapter, data, layers, packed, sharding, weights
from raft_exp.training.rows import Rows
from tests.helpers import small_training as small


def adapted():
    model = loading.load(small.model_config())
    packed.use_packed_attention(model)
    return weights.add_adapter(model, small.train_stage(dropout=0.0).lora, seed=0).train()


@pytest.fixture(scope="module")
def batch() -> data.Batch:
    tokens = np.arange(300, dtype=np.int32)
    return data.pack(Rows(["a", "b"], tokens, np.array([200, 300]), np.array([4, 9])), [0, 1])


def test_a_measurement_leaves_no_activation_in_memory(batch):
    model, outputs = adapted(), []
    for layer in layers.layers(model):
        layer.register_forward_hook(lambda _module, _inputs, output: outputs.append(weakref.ref(output)))
    assert layers.activation_bytes(model, batch) > 0
    gc.collect()
    assert outputs
    assert [output for output in outputs if output() is not None] == []


@pytest.fixture
def mesh():
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield torch.distributed.device_mesh.init_device_mesh("cpu", (1,))
    dist.destroy_process_group()


@pytest.mark.parametrize("lean", [False, True])
def test_activations_beside_sharded_weights_are_as_many_as_beside_whole_ones(monkeypatch, batch, mesh, lean):
    monkeypatch.setattr(adapter, "ON", ("cpu",) if lean else ())
    whole = layers.activation_bytes(adapted(), batch)
    model = adapted()
    sharding.shard(model, mesh, None)
    assert layers.activation_bytes(model, batch) == whole
    assert layers.activation_bytes(model, batch) == whole  # the hooks of the first measurement are gone
