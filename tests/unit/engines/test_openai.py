"""An arm behind a server: what is sent, what is kept, and what never leaves the environment."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from raft_exp import prompts
from raft_exp.core.errors import ModelError, ServerError
from raft_exp.core.records import Answer, Example, read_jsonl
from raft_exp.engines import OpenaiEngine
from raft_exp.engines.client import client as chat_client
from raft_exp.evaluation.stage import evaluate
from tests.helpers import small_training as small
from tests.helpers import vllm_server as real_server
from tests.helpers.command_line import data_files, raft_exp, run_folder
from tests.helpers.scripted_server import MODEL, Break, Refuse, Say, ScriptedServer

KEY = "sk-planted-0123456789abcdef"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(chat_client, "_FIRST_WAIT", 0.01)
    monkeypatch.setenv("SCRIPTED_KEY", KEY)


@pytest.fixture(scope="module")
def test_rows(tmp_path_factory) -> Path:
    return small.dataset(tmp_path_factory.mktemp("test"), train=0, validation=0, test=10)


def engine(url: str, **changes) -> OpenaiEngine:
    settings = {"base_url": url, "model": MODEL, "api_key_env": "SCRIPTED_KEY", "max_new_tokens": 77, "timeout": 5.0}
    return OpenaiEngine(**small.values("engine", "openai") | settings | changes)


def run(server: ScriptedServer, test: Path, out: Path, **changes) -> dict[str, Answer]:
    out.mkdir(exist_ok=True)
    stage = small.evaluate_stage(engine=engine(server.url, **changes))
    evaluate(type(stage)(**{**vars(stage), "model": None}), test=test, out=out)
    return {answer.id: answer for answer in read_jsonl(out / "answers.jsonl", Answer)}


def year(question: str) -> str:
    return question.split("founded in ")[1][:4]  # the gold passage stands first


def test_the_arms_own_messages_are_sent_and_no_model_is_loaded(tmp_path, test_rows, monkeypatch):
    monkeypatch.setattr(
        "transformers.AutoTokenizer.from_pretrained", lambda *_, **__: pytest.fail("a tokenizer was loaded")
    )
    with ScriptedServer(lambda question, _: Say(f"##Answer: {year(question)}", delay=0.01)) as server:
        found = run(server, test_rows, tmp_path / "out")
    rows = list(read_jsonl(test_rows / "rows.jsonl", Example))
    assert list(found) == [row.id for row in rows]
    assert found["q3"] == Answer("q3", f"##Answer: {rows[3].answers[0]}", False, 11, 3)
    asked = {json.dumps(body["messages"]) for body in server.asked}
    config = small.prompt_config()
    assert asked == {
        json.dumps(prompts.messages(config, "plain_text", row.question, row.context, False)) for row in rows
    }
    assert {(body["model"], body["temperature"], body["max_tokens"]) for body in server.asked} == {(MODEL, 0, 77)}


@pytest.mark.parametrize(
    ("logprobs", "mean"),
    [([-0.5, -1.0], -0.75), (None, None), ([], None), ([-1.0, None], None), ([0.5], None), ([-1e400], None)],
)
def test_log_probabilities_are_stored_if_they_are_requested_and_returned(tmp_path, test_rows, logprobs, mean):
    def say(question: str, _: int) -> Say:
        return Say(f"##Answer: {year(question)}", logprobs=logprobs)

    with ScriptedServer(say) as server:
        plain = run(server, test_rows, tmp_path / "plain")
        assert not any("logprobs" in body for body in server.asked)
        stage = small.evaluate_stage(engine=engine(server.url), token_probabilities=True)
        (tmp_path / "out").mkdir()
        evaluate(type(stage)(**{**vars(stage), "model": None}), test=test_rows, out=tmp_path / "out")
        assert all(body["logprobs"] is True for body in server.asked[len(plain) :])
    assert all(answer.log_probability is None for answer in plain.values())
    found = list(read_jsonl(tmp_path / "out" / "answers.jsonl", Answer))
    assert [answer.log_probability for answer in found] == [mean] * len(plain)
    lines = (tmp_path / "out" / "answers.jsonl").read_text()
    assert lines.count("log_probability") == (0 if mean is None else len(plain)), "absent where it is not known"


def test_good_answers_are_kept_and_only_the_others_are_asked_again(tmp_path, test_rows):
    bad = {"1": Refuse(400, message="too long"), "2": Break("cut_json")}

    def script(question, _):
        return bad.get(year(question)[-1], Say(f"##Answer: {year(question)}"))

    with ScriptedServer(script) as server, pytest.raises(ServerError, match=r"2 of 10 requests got no usable reply"):
        run(server, test_rows, tmp_path / "out", attempts=2)
    kept = {json.loads(line)["id"] for line in (tmp_path / "out" / "answers.jsonl").read_text().splitlines()}
    assert len(kept) == 8
    with ScriptedServer(lambda question, _: Say(f"##Answer: {year(question)}")) as server:
        found = run(server, test_rows, tmp_path / "out")
        whole = run(server, test_rows, tmp_path / "whole")
    assert len(server.asked) == 2 + 10
    assert found == whole
    assert (tmp_path / "out" / "answers.jsonl").read_bytes() == (tmp_path / "whole" / "answers.jsonl").read_bytes()


def test_what_a_filter_withheld_and_what_was_cut_off_say_so(tmp_path, test_rows):
    ends = {"0": "content_filter", "7": "length"}

    def script(question, _):
        return Say("half", finish=ends.get(year(question)[-1], "stop"))

    with ScriptedServer(script) as server:
        found = run(server, test_rows, tmp_path / "out")
    kinds = Counter((answer.raw, answer.truncated, answer.filtered) for answer in found.values())
    assert kinds == {("half", False, False): 8, ("", False, True): 1, ("half", True, False): 1}
    counts = json.loads((tmp_path / "out" / "counts.json").read_text())
    assert (counts["filtered"], counts["truncated"]) == (1, 1)
    assert (tmp_path / "out" / "answers.jsonl").read_text().count("filtered") == 1


def test_an_adapter_is_refused(tmp_path, test_rows):
    from raft_exp import engines

    with pytest.raises(ModelError, match=r"engine=openai cannot load an adapter"):
        engines.load(engine("http://localhost/v1"), None, tmp_path, tmp_path)


ARM = (
    "+arms.api={recipe:none,context:passages,cot:false,adapter:null,dataset:{},engine:{name:openai,base_url:'%s',"
    "model:scripted-1,served_as:null,api_key_env:SCRIPTED_KEY,max_new_tokens:32,extra_body:{},in_flight:4,attempts:2,"
    "timeout:5.0,max_requests:null}}"
)
STUDY = (
    "model=tiny",
    "corpus.num_entities=100",
    "evaluation.arms=[rag,api]",
    "evaluation.max_items=12",
    "~evaluation.conditions",
    "+evaluation.conditions={}",
    "hydra.run.dir=runs/quickstart/one",
)


@pytest.mark.slow
def test_a_study_with_an_arm_behind_a_server_and_its_key_in_no_file(tmp_path):
    broken = True

    def script(question, _):
        return Refuse(401, message=f"wrong key {KEY}") if broken else Say("##Answer: nothing")

    with ScriptedServer(script) as server:
        arguments = (*STUDY, ARM % server.url)
        refused = raft_exp(tmp_path, *arguments, SCRIPTED_KEY=KEY)
        assert refused.returncode == 2
        assert "ServerError: engine: " in refused.stderr
        assert "the server does not accept the key in SCRIPTED_KEY (status 401)" in refused.stderr
        broken = False
        done = raft_exp(tmp_path, *arguments, SCRIPTED_KEY=KEY)
    assert done.returncode == 0, done.stderr
    assert server.keys == {f"Bearer {KEY}"}
    assert json.loads((run_folder(tmp_path) / "results.json").read_text())["arms"]["api"]["n"] == 12
    said = [text for one in (refused, done) for text in (one.stdout, one.stderr)]
    assert not any(KEY in text for text in said)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert data_files(tmp_path / "store")


@pytest.fixture
def pocket_server(tmp_path):
    with real_server.pocket(tmp_path) as url:
        yield url


@pytest.mark.vllm
def test_a_real_server_answers_as_the_same_model_does_here(tmp_path, test_rows, pocket_server):
    served = engine(pocket_server, model="pocket", api_key_env=None, max_new_tokens=32)
    stage = small.evaluate_stage(engine=served, model={"name_or_path": "asset:pocket", "max_new_tokens": 32})
    found = {}
    changes: dict[str, dict[str, Any]] = {"api": {"model": None}, "here": {"engine": small.engine_config()}}
    for name, settings in changes.items():
        (tmp_path / name).mkdir()
        evaluate(type(stage)(**{**vars(stage), **settings}), test=test_rows, out=tmp_path / name)
        found[name] = list(read_jsonl(tmp_path / name / "answers.jsonl", Answer))
    same = sum(one.raw == other.raw for one, other in zip(found["api"], found["here"], strict=True))
    assert same >= 9, found
    assert [answer.prompt_tokens for answer in found["api"]] == [answer.prompt_tokens for answer in found["here"]]
    wrong = type(stage)(
        **{**vars(stage), "model": None, "engine": engine(pocket_server, model="gpt", api_key_env=None)}
    )
    (tmp_path / "wrong").mkdir()
    with pytest.raises(ServerError, match=r"status 404: the server has no model='gpt'"):
        evaluate(wrong, test=test_rows, out=tmp_path / "wrong")
