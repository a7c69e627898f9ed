import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from raft_exp import engines, prompts
from raft_exp.core.errors import DataError
from raft_exp.core.records import Answer, Example, read_jsonl
from raft_exp.evaluation.stage import evaluate
from raft_exp.models import loading as models
from raft_exp.models import tokens
from raft_exp.training.stage import train
from tests.helpers import small_training as small
from tests.helpers.command_line import environment

SMALL_BATCHES = small.engine_config(batch_tokens=700)
FILES = ("answers.jsonl", "counts.json")


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def test_rows(tmp_path_factory) -> Path:
    return small.dataset(tmp_path_factory.mktemp("test"), train=0, validation=0, test=10)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("adapter")
    rows = small.dataset(tmp_path_factory.mktemp("rows"))
    train(small.train_stage(max_steps=60), dataset=rows, out=out)
    return out


def run(out: Path, test: Path, adapter: Path | None = None, **settings) -> dict[str, bytes]:
    out.mkdir(exist_ok=True)
    evaluate(small.evaluate_stage(**{"engine": SMALL_BATCHES} | settings), test=test, adapter=adapter, out=out)
    return {name: (out / name).read_bytes() for name in FILES}


def answers(out: Path) -> list[Answer]:
    return list(read_jsonl(out / "answers.jsonl", Answer))


def test_answers_every_question_in_test_order(tmp_path, test_rows):
    run(tmp_path, test_rows)
    found = answers(tmp_path)
    assert [answer.id for answer in found] == [f"q{number}" for number in range(10)]
    assert json.loads((tmp_path / "counts.json").read_text()) == {
        "answers": 10,
        "truncated": sum(answer.truncated for answer in found),
        "prompt_tokens": sum(answer.prompt_tokens for answer in found),
        "new_tokens": sum(answer.new_tokens for answer in found),
    }


def test_the_prompt_is_the_one_that_training_teaches(tmp_path, test_rows, monkeypatch):
    seen = {}

    class Listening:
        def generate(self, requests, answered=(), **_):
            seen.update({request.id: request for request in requests})
            return iter([Answer(request.id, "", False, 0, 0) for request in requests])

    monkeypatch.setattr(engines, "load", lambda *_: Listening())
    run(tmp_path / "shown", test_rows)
    tokenizer = models.load_tokenizer("asset:tiny")
    rows = list(read_jsonl(test_rows / "rows.jsonl", Example))
    for row in rows:
        assert seen[row.id].messages == row.messages
        assert seen[row.id].prompt_ids == tokens.encode_prompt(tokenizer, row.messages)
    run(tmp_path / "closed", test_rows, context="none")
    config = small.prompt_config()
    for row in rows:
        assert seen[row.id].messages == prompts.messages(config, "plain_text", row.question, None, False)
    assert "Passage" not in seen["q0"].messages[-1]["content"]
    run(tmp_path / "cot", test_rows, cot=True)
    assert "##Reason" in seen["q0"].messages[-1]["content"]


@pytest.mark.parametrize("answered", [0, 1, 4, 9, 10])
def test_goes_on_after_a_kill_with_the_same_bytes(tmp_path, test_rows, monkeypatch, answered):
    whole = run(tmp_path / "whole", test_rows)
    from raft_exp.evaluation import stage

    def dying(items, *_):
        for number, item in enumerate(items):
            if number == answered:
                raise Killed
            yield item
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(stage, "track", dying)
        with pytest.raises(Killed):
            run(tmp_path / "out", test_rows)
    with (tmp_path / "out" / "answers.jsonl").open("a") as file:
        file.write('{"id": "q5", "raw": "cut in the mid')
    assert run(tmp_path / "out", test_rows) == whole


# Says which batch it begins with, so that a test can kill it in the middle of one.
TALKING = """
import json, sys
from pathlib import Path
from raft_exp.engines.transformers import Transformers
from raft_exp.evaluation.stage import evaluate
from tests.unit.evaluation.test_stage import SMALL_BATCHES, small
answers = Transformers._answers
def talking(self, batch):
    print(json.dumps([request.id for request in batch]), flush=True)
    return answers(self, batch)
Transformers._answers = talking
evaluate(small.evaluate_stage(engine=SMALL_BATCHES), test=Path(sys.argv[1]), out=Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_kill_9_loses_at_most_the_batch_in_flight(tmp_path, test_rows, monkeypatch):
    whole = run(tmp_path / "whole", test_rows)
    out = tmp_path / "out"
    out.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", TALKING, str(test_rows), str(out)],
        cwd=Path(__file__).parents[3],
        text=True,
        env=environment(),
        stdout=subprocess.PIPE,
    ) as generating:
        assert generating.stdout is not None
        batches = [json.loads(generating.stdout.readline()) for _ in range(3)]
        generating.kill()
    assert generating.returncode == -signal.SIGKILL
    kept = {json.loads(line)["id"] for line in (out / "answers.jsonl").read_text().splitlines()}
    assert kept >= {*batches[0], *batches[1]}
    loaded, again = engines.load, []

    def listening(*arguments):
        engine: Any = loaded(*arguments)
        compute = engine._answers
        monkeypatch.setattr(engine, "_answers", lambda batch: again.append(batch) or compute(batch))
        return engine

    monkeypatch.setattr(engines, "load", listening)
    assert run(out, test_rows) == whole
    computed_again = {request.id for batch in again for request in batch}
    assert computed_again <= {f"q{number}" for number in range(10)} - {*batches[0], *batches[1]}


def test_a_finished_evaluation_needs_no_model(tmp_path, test_rows, monkeypatch):
    whole = run(tmp_path, test_rows)
    monkeypatch.setattr(engines, "load", lambda *_: pytest.fail("loaded"))
    assert run(tmp_path, test_rows) == whole


def test_an_adapter_changes_the_answers(tmp_path, test_rows, adapter):
    run(tmp_path / "base", test_rows)
    run(tmp_path / "trained", test_rows, adapter=adapter)
    assert not any(answer.raw.startswith("##Answer: 1") for answer in answers(tmp_path / "base"))
    assert all(answer.raw.startswith("##Answer: 1") for answer in answers(tmp_path / "trained"))
    assert all(answer.truncated for answer in answers(tmp_path / "base"))
    assert not all(answer.truncated for answer in answers(tmp_path / "trained"))


def test_a_ready_adapter_is_a_folder_of_peft(tmp_path, test_rows, adapter):
    shutil.copytree(adapter / "adapter", tmp_path / "mine")
    trained = run(tmp_path / "trained", test_rows, adapter=adapter)
    assert run(tmp_path / "ready", test_rows) != trained
    config = small.evaluate_stage(engine=SMALL_BATCHES, adapter=str(tmp_path / "mine"))
    out = tmp_path / "out"
    out.mkdir()
    evaluate(config, test=test_rows, out=out)
    assert (out / "answers.jsonl").read_bytes() == trained["answers.jsonl"]


def test_a_prompt_that_does_not_fit_is_refused(tmp_path, test_rows):
    with pytest.raises(DataError, match=r"question q\d: its prompt has \d+ tokens, but .* allows 84;"):
        run(tmp_path, test_rows, model={"max_length": 100})
