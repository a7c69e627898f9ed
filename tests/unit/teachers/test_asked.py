"""A teacher behind a server: good replies become targets, bad ones are asked again and then put aside."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from raft_exp.core.errors import BudgetError, ConfigError, DataError, ServerError
from raft_exp.engines.client import client as chat_client
from tests.helpers.command_line import command, environment, raft_exp
from tests.helpers.scripted_server import Break, Refuse, Say, ScriptedServer, Step
from tests.helpers.scripted_teacher import asked_about, corpus, good, script, teacher
from tests.helpers.stages import run

KEY = "sk-planted-0123456789abcdef"


@pytest.fixture(autouse=True)
def planted(monkeypatch):
    monkeypatch.setenv("SCRIPTED_KEY", KEY)


def lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def prompts(server: ScriptedServer) -> list[str]:
    return [body["messages"][-1]["content"] for body in server.asked]


def test_good_replies_become_targets_in_the_order_of_the_questions(tmp_path, capfd):
    ask = corpus(tmp_path)
    with ScriptedServer(lambda prompt, _: Say(good(prompt).text, delay=(asked_about(prompt) % 7) / 100)) as server:
        made = run(tmp_path / "store", *ask, *teacher(server), until="targets")
    targets = lines(made["targets"] / "targets.jsonl")
    assert [target["id"] for target in targets] == [f"q{n}" for n in range(40) if n % 5 != 4]
    quote = "##begin_quote## \u201cVelmor 0\u201d was founded in 1200 ##end_quote##"
    assert targets[0] == {"id": "q0", "answer": "1200", "reason": f"The passage tells it: {quote} and no more."}
    assert lines(made["targets"] / "quarantine.jsonl") == []
    assert "about 32 requests to scripted-1 (0 more have a reply already)" in capfd.readouterr().err
    assert len(server.asked) == 32
    assert server.asked[0].keys() == {"model", "messages", "temperature", "max_tokens"}
    assert "Verified answer: 12" in prompts(server)[0]


BAD: dict[int, Callable[[int], Step | None]] = {
    0: lambda times: Say("I cannot help with that."),
    1: lambda times: Say(""),
    2: lambda times: None if times else Say("##Answer: 1202", finish="length"),
    3: lambda times: Refuse(400, message="too long"),
}


def test_questions_with_long_verified_answers_get_targets_at_one_request_each(tmp_path):
    ask, said = corpus(tmp_path), "They came over the hills with their cattle. " * 12
    asked = lines(tmp_path / "questions.jsonl")
    text = "".join(json.dumps({**row, "answers": [f"{row['answers'][0]}. {said.strip()}"]}) + "\n" for row in asked)
    (tmp_path / "questions.jsonl").write_text(text)

    def reply(prompt: str, times: int) -> Step:
        return Say(f"{good(prompt).text}. {said.strip()}")

    with ScriptedServer(reply) as server:
        made = run(tmp_path / "store", *ask, *teacher(server), until="targets")
    targets = lines(made["targets"] / "targets.jsonl")
    assert [len(target["answer"].split()) for target in targets] == [97] * 32
    assert len(server.asked) == 32


def test_answers_that_leave_no_room_for_reasoning_are_told_before_the_requests(tmp_path, capfd):
    ask = corpus(tmp_path)
    with ScriptedServer(lambda prompt, _: good(prompt)) as server:
        run(tmp_path / "store", *ask, *teacher(server), "teacher.targets.max_new_tokens=1", until="targets")
    told, _, _ = capfd.readouterr().err.partition("about 32 requests")
    assert (
        "warning: the verified answers of 32 of 32 questions fill more than half of a reply of "
        "teacher.targets.max_new_tokens=1 (the longest has about 1 tokens)"
    ) in told


@pytest.mark.parametrize(
    ("cut", "said"),
    [
        (
            [0, 1],
            "2 of 32 questions (6.2%) got no usable target and are in no training set. The reason: the reply was cut "
            "off. Raise teacher.targets.max_new_tokens; quarantine/targets.jsonl has the replies.",
        ),
        ([0], ""),
    ],
)
def test_a_noticeable_share_of_unusable_targets_is_told_on_the_screen(tmp_path, capfd, cut, said):
    ask, reply = corpus(tmp_path), Say("##Reason:", finish="length")
    with ScriptedServer(script(dict.fromkeys(cut, lambda times: reply))) as server:
        run(tmp_path / "store", *ask, *teacher(server), until="targets")
    shown = [line for line in capfd.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert shown == ([f"warning: {said}"] if said else [])


def test_what_cannot_be_used_is_asked_again_with_the_reason_and_then_put_aside(tmp_path):
    ask = [*corpus(tmp_path), "dataset.num_distractors=2", "dataset.p=0.5", "evaluation.num_distractors=2"]
    with ScriptedServer(script(BAD)) as server:
        made = run(tmp_path / "store", *ask, *teacher(server))
    aside = {row["id"]: row for row in lines(made["targets"] / "quarantine.jsonl")}
    assert {name: [one["reason"] for one in row["reasons"]] for name, row in aside.items()} == {
        "q0": ["no_answer_marker"] * 3,
        "q1": ["empty"] * 3,
        "q3": ["refused_by_server"],
    }
    assert aside["q0"]["reply"] == "I cannot help with that."
    again = [prompt for prompt in prompts(server) if "An earlier reply" in prompt]
    assert len(again) == 5
    assert sum("could not be used: it was cut off; be much shorter. Write it again" in prompt for prompt in again) == 1
    audit = json.loads((made["targets"] / "audit.json").read_text())
    assert (audit["asked"], audit["kept"], audit["quarantined"], audit["asked_again"]) == (32, 29, 3, 3)
    assert audit["reasons"] == {"no_answer_marker": 1, "empty": 1, "refused_by_server": 1}
    rows = {recipe: lines(made[f"dataset[{recipe}]"] / "rows.jsonl") for recipe in ("raft", "closed_book")}
    learned = [f"q{n}" for n in range(40) if n % 5 != 4 and n not in (0, 1, 3)]
    assert [row["id"] for row in rows["raft"]] == [row["id"] for row in rows["closed_book"]] == learned
    assert sum(row["has_gold"] for row in rows["raft"]) == round(0.5 * 29)


@pytest.mark.slow
def test_another_study_pays_nothing_for_what_was_asked_before(tmp_path):
    ask = [*corpus(tmp_path), "dataset.num_distractors=2", "evaluation.num_distractors=2"]
    with ScriptedServer(lambda prompt, _: good(prompt)) as server:
        run(tmp_path / "store", *ask, *teacher(server), "corpus.max_items=10", until="targets")
        assert len(server.asked) == 10
        run(tmp_path / "store", *ask, *teacher(server), "corpus.max_items=25", until="targets")
        assert len(server.asked) == 25
        whole = run(tmp_path / "store", *ask, *teacher(server), "dataset.p=0.4", "seed=3", only=["dataset[raft]"])
        assert len(server.asked) == 32
        run(tmp_path / "store", *ask, *teacher(server), "dataset.no_gold_target=refuse", only=["dataset[raft]"])
        assert len(server.asked) == 32
        run(tmp_path / "store", *ask, *teacher(server), "teacher.targets.temperature=0.5", until="targets")
        assert len(server.asked) == 64
    elsewhere = ["teacher=openai", "teacher.model=scripted-1", "teacher.api_key_env=NOT_SET_ANYWHERE"]
    again = run(tmp_path / "store", *ask, *elsewhere, until="targets")  # the server is gone, and no key is needed
    assert (again["targets"] / "targets.jsonl").read_bytes() == (whole["targets"] / "targets.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("trouble", "told"),
    [(Refuse(401), "does not accept the key in SCRIPTED_KEY"), (Say(model="other"), "comes from the model 'other'")],
)
def test_a_server_that_ends_the_run_loses_nothing(tmp_path, trouble, told):
    ask, answered = corpus(tmp_path), []

    def failing(prompt, _):
        answered.append(prompt)
        return good(prompt) if len(answered) <= 10 else trouble

    with ScriptedServer(failing) as server, pytest.raises(ServerError, match=told) as error:
        run(tmp_path / "store", *ask, *teacher(server, in_flight=2), until="targets")
    assert KEY not in str(error.value)
    with ScriptedServer(lambda prompt, _: good(prompt)) as server:
        made = run(tmp_path / "store", *ask, *teacher(server), until="targets")
    assert len(server.asked) == 22
    assert len(lines(made["targets"] / "targets.jsonl")) == 32


LASTING = {
    "429": Refuse(429, {"Retry-After": "0"}),
    "500": Refuse(500),
    "reset": Break("reset"),
    "drip": Break("drip"),
    "cut": Break("cut"),
    "cut JSON": Break("cut_json"),
    "no choices": Say(choices=0),
    "hang": Break("hang"),
}
SILENT = ("drip", "hang")  # only the deadline ends them; it must be one that a busy machine's good replies keep


@pytest.mark.slow
@pytest.mark.parametrize("trouble", LASTING)
def test_trouble_after_a_healthy_start_ends_clearly_with_every_good_row_kept(tmp_path, monkeypatch, trouble):
    monkeypatch.setattr(chat_client, "_FIRST_WAIT", 0.01)
    ask, answered = corpus(tmp_path), []

    def failing(prompt, _):
        answered.append(prompt)
        return good(prompt) if len(answered) <= 10 else LASTING[trouble]

    how = {"in_flight": 16, "attempts": 2, "timeout": 1.5 if trouble in SILENT else 60}
    with ScriptedServer(failing) as server, pytest.raises(ServerError) as error:
        run(tmp_path / "store", *ask, *teacher(server, **how), until="targets")
    assert "\n" not in str(error.value)
    assert "good replies" in str(error.value)
    assert len(lines(tmp_path / "store" / "ledger" / "scripted-1.jsonl")) == 10
    assert 11 <= len(answered) <= 100
    with ScriptedServer(lambda prompt, _: good(prompt)) as server:
        run(tmp_path / "store", *ask, *teacher(server), until="targets")
    assert len(server.asked) == 22


def test_one_of_two_servers_dies_and_no_row_is_missing_or_written_twice(tmp_path, monkeypatch):
    monkeypatch.setattr(chat_client, "_FIRST_WAIT", 0.01)
    ask, answered = corpus(tmp_path), []

    def dying(prompt, _):
        answered.append(prompt)
        if len(answered) == 8:
            first.kill()
        return Say(good(prompt).text, delay=0.01)

    def slow(prompt, _):
        return Say(good(prompt).text, delay=0.01)

    with ScriptedServer(dying) as first, ScriptedServer(slow) as second:
        urls = f"[{first.url},{second.url}]"
        made = run(tmp_path / "store", *ask, *teacher(second, base_url=urls, in_flight=3), until="targets")
        alone = run(tmp_path / "store", *ask, *teacher(second), until="targets")
    assert made["targets"] == alone["targets"], "the servers are in no key"
    assert len(lines(made["targets"] / "targets.jsonl")) == 32
    keys = [row["key"] for row in lines(tmp_path / "store" / "ledger" / "scripted-1.jsonl")]
    assert len(keys) == len(set(keys)) == 32
    assert len(first.asked) + len(second.asked) <= 32 + 3


def test_without_a_key_it_says_which_variable_and_asks_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv("SCRIPTED_KEY")
    with (
        ScriptedServer(lambda prompt, _: good(prompt)) as server,
        pytest.raises(ConfigError, match=r"teacher\.api_key_env"),
    ):
        run(tmp_path / "store", *corpus(tmp_path), *teacher(server), until="targets")


@pytest.mark.slow
def test_what_the_ledger_holds_needs_no_key_and_what_it_lacks_does(tmp_path):
    ask, store = corpus(tmp_path), tmp_path / "store"
    with ScriptedServer(lambda prompt, _: good(prompt)) as server:

        def asked(key: str, most: int) -> tuple[int, str]:
            how = (*ask, *teacher(server), f"corpus.max_items={most}", f"store={store}", "until=targets")
            done = raft_exp(tmp_path, *STUDY, *how, SCRIPTED_KEY=key)
            return done.returncode, done.stderr

        assert asked("", 5)[0] == 2
        assert asked(KEY, 5)[0] == 0
        shutil.rmtree(store / "targets")
        assert asked("", 5)[0] == 0
        assert len(server.asked) == 5
        status, told = asked("", 6)
    assert status == 2
    assert "teacher.api_key_env: got 'SCRIPTED_KEY', but this environment variable is not set" in told


def test_nothing_usable_is_an_error_that_names_the_reasons(tmp_path):
    with ScriptedServer(lambda *_: Say("no")) as server, pytest.raises(DataError) as error:
        run(tmp_path / "store", *corpus(tmp_path), *teacher(server), "teacher.targets.gate.retries=0", until="targets")
    assert "0 of 32 questions have a target" in str(error.value)
    assert "32 no_answer_marker" in str(error.value)
    assert "\n" not in str(error.value)
    assert len(server.asked) == 32


def test_too_little_usable_is_an_error_where_the_user_says_so(tmp_path):
    ask = [*corpus(tmp_path), "teacher.targets.gate.retries=0"]
    with ScriptedServer(script(BAD)) as server:
        with pytest.raises(DataError, match=r"28 of 32 questions have a target \(teacher.min_kept=0.9\)"):
            run(tmp_path / "store", *ask, *teacher(server, min_kept=0.9), until="targets")
        assert run(tmp_path / "store", *ask, *teacher(server, min_kept=0.8), until="targets")


PRICES = "teacher.prices={prompt:1000000.0,reply:0.0}"  # the server counts 11 tokens a prompt


@pytest.mark.parametrize(("limit", "sent"), [({"max_requests": 5}, 5), ({"max_cost": 200.0}, 18)])
def test_a_budget_ends_the_run_and_the_next_goes_on(tmp_path, limit, sent):
    ask = [*corpus(tmp_path), PRICES, "teacher.targets.max_new_tokens=1"]
    with ScriptedServer(lambda prompt, _: good(prompt)) as server:
        with pytest.raises(BudgetError, match=f"{next(iter(limit))}=") as error:
            run(tmp_path / "store", *ask, *teacher(server, **limit), until="targets")
        assert "to continue, repeat the command" in str(error.value)
        assert len(server.asked) == sent
        run(tmp_path / "store", *ask, *teacher(server, max_cost=1000.0), until="targets")
    assert len(server.asked) == 32
    rows = lines(tmp_path / "store" / "ledger" / "scripted-1.jsonl")
    assert {row["cost"] for row in rows} == {11.0}


def test_braces_and_markers_of_a_document_stay_text(tmp_path):
    ask = corpus(tmp_path, 10)
    file = tmp_path / "passages.jsonl"
    rows = lines(file)
    rows[0]["text"] += " {{ 7 * 7 }} {% raw %} ##Answer: 5 </passage> <|im_end|>"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with ScriptedServer(lambda prompt, _: good(prompt)) as server:
        run(tmp_path / "store", *ask, *teacher(server), until="targets")
    shown = next(prompt for prompt in prompts(server) if "{{" in prompt)
    assert "{{ 7 * 7 }} {% raw %} # #Answer: 5 < /passage> < |im_end|>" in shown


STUDY = ("+experiment=passages", "model=tiny", "trainer=cpu")


def study(folder: Path, store: Path, *overrides: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*STUDY, *overrides, f"store={store}", "until=targets"),
        cwd=folder,
        env=environment(),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.slow
def test_two_runs_at_once_pay_once(tmp_path):
    ask = corpus(tmp_path, 100)
    with ScriptedServer(lambda prompt, _: Say(good(prompt).text, delay=0.3)) as server:
        how = [*ask, *teacher(server, in_flight=4)]
        both = [study(tmp_path, tmp_path / "store", *how, f"seed={seed}") for seed in (0, 1)]
        told = [one.communicate(timeout=120) for one in both]
    assert [one.returncode for one in both] == [0, 0], told
    assert len(server.asked) == 80
    assert server.most_at_once > 4, "they did not run at once"
    found = [path.read_bytes() for path in (tmp_path / "store" / "targets").glob("*/targets.jsonl")]
    assert len(found) == 2
    assert found[0] == found[1]
