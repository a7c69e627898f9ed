"""A model that cannot do what a study asks of it is refused before anything is made or paid."""

import pytest
from transformers import GPT2Config

from tests.helpers.command_line import raft_exp, run_folder, statuses
from tests.helpers.scripted_server import ScriptedServer
from tests.helpers.scripted_teacher import corpus, good, teacher
from tests.helpers.tokenizers import qwen2


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("dry_run=true",)], ids=["run", "dry run"])
def test_nothing_is_made_before_a_model_is_refused(more, tmp_path):
    model = tmp_path / "model"
    GPT2Config(n_positions=256, n_embd=32, n_layer=2, n_head=2, vocab_size=600).save_pretrained(model)
    qwen2().save_pretrained(model)
    chosen = ["+experiment=passages", "model=tiny", f"model.name_or_path={model}", "trainer=cpu", *corpus(tmp_path)]
    with ScriptedServer(good) as server:
        done = raft_exp(tmp_path, *chosen, *teacher(server), "model.max_length=900", *more, SCRIPTED_KEY="key")
    assert done.returncode == 2
    line = f"ModelError: model.max_length=900: {model} has 256 positions; set model.max_length=256, or choose a model"
    assert done.stderr.splitlines()[-1] == f"{line} with more positions"
    assert "Traceback" not in done.stderr
    assert not server.asked
    assert set(statuses(run_folder(tmp_path)).values()) == {"planned"}
    made = [*(tmp_path / "store").glob("*/*/manifest.json"), *(tmp_path / "store").glob("ledger/*")]
    assert not made
