"""W&B, offline and with a server that stands in: one group a study, the figures in it, no secret anywhere."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raft_exp.core.errors import ConfigError
from raft_exp.core.records import ContextPassage, Example, write_jsonl
from raft_exp.pipeline.parsing import parse
from raft_exp.reporting.wandb.config import WandbConfig
from raft_exp.reporting.wandb.results import EXAMPLES, examples_table
from raft_exp.reporting.wandb.runs import mode_of
from raft_exp.reporting.wandb.study import WandbStudy
from raft_exp.reporting.wandb.tracker import WandbTracker, check
from tests.helpers import wandb_server
from tests.helpers.command_line import SMALL, environment, raft_exp, run_folder, statuses
from tests.helpers.composing import compose
from tests.helpers.runs import arm as run_arm
from tests.helpers.runs import prediction, todays

pytestmark = pytest.mark.slow

KEY = "0123456789abcdef" * 2 + "deadbeef"
CANARIES = {"WANDB_CANARY": "canary-59ae", "OPENAI_API_KEY": "canary-77cd", "HF_TOKEN": "canary-0b1f"}
ASKED = (
    *SMALL,
    "evaluation.arms=[sft,raft]",
    "~evaluation.conditions.k4",
    "+evaluation.conditions.found={context: retrieved}",
    "logger=wandb",
)


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracked")
    done = raft_exp(folder, *ASKED, "logger.mode=offline", WANDB_API_KEY=KEY, **CANARIES)
    assert done.returncode == 0, done.stderr
    assert "W&B: the run is stored offline; send it with: wandb sync " in done.stdout
    return folder, done, run_folder(folder)


@pytest.fixture(scope="module")
def server():
    with wandb_server.serving() as server:
        yield server


def online(server: wandb_server.Server) -> dict[str, str]:
    return {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "WANDB_MODE": "online"}


def read_back(run: Path) -> list[dict]:
    leet = Path(sys.executable).with_name("wandb")
    files = sorted((run / "wandb").glob("offline-run-*/*.wandb"))
    return [
        json.loads(
            subprocess.run(
                [leet, "leet", "inspect", "--summary", "--json", file],
                env=environment(),
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for file in files
    ]


def table(run: Path, name: str) -> list[dict]:
    [file] = (run / "wandb").glob(f"*run-*/files/media/table/{name}_*.json")
    found = json.loads(file.read_text())
    return [dict(zip(found["columns"], row, strict=True)) for row in found["data"]]


def test_a_study_is_one_group_of_runs_with_its_figures(tracked):
    _, _, run = tracked
    runs = read_back(run)
    assert len(runs) == 3, "two trainings and the report"
    assert {one["config"]["study"] for one in runs} == {"quickstart"}
    assert all(one["config"]["dataset"]["p"] == 0.6 for one in runs)
    assert all(one["config"]["corpus.num_entities"] == 100 for one in runs), "as it was given"
    trainings = [one for one in runs if "train/loss" in one["summary"]]
    assert len(trainings) == 2
    for figure in ("train/learning_rate", "train/grad_norm", "speed/tokens_per_second", "speed/peak_gib"):
        assert all(one["summary"][figure] > 0 for one in trainings), figure
    assert all("rows" in one["summary"] for one in trainings), "a few rows as the model sees them"
    results = json.loads((run / "results.json").read_text())
    [told] = [one["summary"] for one in runs if "raft/f1" in one["summary"]]
    assert told["raft/f1"] == results["arms"]["raft"]["metrics"]["f1"]["value"]
    assert told["raft@k0/f1"] == results["conditions"]["k0"]["raft"]["metrics"]["f1"]["value"]
    assert told["audit/raft/share_with_gold"] == pytest.approx(0.6, abs=0.02)
    assert told["audit/raft/overlap_test_questions"] == 0
    assert told["verdict"] == results["verdict"]


def test_the_tables_hold_what_the_reports_files_hold(tracked):
    _, _, run = tracked
    results = json.loads((run / "results.json").read_text())
    rows = table(run, "results")
    assert list(rows[0]) == ["arm", "condition", "metric", "value", "low", "high", "n"]
    found = {(row["arm"], row["condition"], row["metric"]): row for row in rows}
    known = results["conditions"]["k0"]["raft"]["metrics"]["f1"]
    assert {name: found["raft", "k0", "f1"][name] for name in known} == known
    assert found["sft", None, "exact_match"]["n"] == 6
    compared = table(run, "comparisons")
    assert [row["difference"] for row in compared] == [row["difference"] for row in results["comparisons"]]
    assert {"low", "high", "p_value", "p_value_holm"} <= set(compared[0])
    recall = [row for row in table(run, "retrieval") if row["figure"] == "recall@1"]
    assert [row["value"] for row in recall] == [results["retrieval"]["found"]["gold"]["recall"]["1"]]
    leaks = {row["data"]: row["value"] for row in table(run, "audit") if row["figure"] == "overlap.test"}
    assert leaks["training set raft"].startswith("questions: 0")


def test_the_examples_hold_questions_answers_and_every_arms_reply(tracked):
    _, _, run = tracked
    rows = table(run, "examples")
    replies = [json.loads(line) for line in (run / "predictions" / "raft.jsonl").read_text().splitlines()]
    assert {row["id"]: row["raft"] for row in rows} == {reply["id"]: reply["raw"] for reply in replies}
    right = {reply["id"]: reply["metrics"]["exact_match"] >= 0.5 for reply in replies}
    assert {row["id"]: row["raft right"] for row in rows} == right
    assert all(row["question"] and row["answer"] and "sft" in row for row in rows)


def test_examples_on_which_arms_disagree_stand_first(tmp_path):
    names = [f"q{number}" for number in range(200)]
    context = [ContextPassage("a", "d", "Title", "Text.", True)]
    (tmp_path / "dataset").mkdir()
    (tmp_path / "predictions").mkdir()
    rows = [Example(name, f"About {name}?", ["yes"], context, True, "", True, [], "test", {}) for name in names]
    write_jsonl(tmp_path / "dataset" / "test.jsonl", rows)
    for arm, wrong in (("rag", "q170"), ("raft", "q80")):
        replies = [
            prediction(name, f"half a sign \ud83d of {name}", metrics={"exact_match": float(name != wrong)})
            for name in names
        ]
        write_jsonl(tmp_path / "predictions" / f"{arm}.jsonl", replies)
    results = todays()
    results |= {"arms": {"rag": run_arm(), "raft": run_arm()}, "metrics": ["exact_match"]}
    made = examples_table(tmp_path, results)
    assert len(made.data) == EXAMPLES
    assert [row[0] for row in made.data[:2]] == ["q80", "q170"]
    assert made.data[0][3:] == ["half a sign ? of q80", True, "half a sign ? of q80", False]


def test_the_reports_pictures_are_there_and_need_no_page(tracked):
    _, _, run = tracked
    pictures = {
        file.name.rpartition("_0_")[0]: file for file in (run / "wandb").glob("*run-*/files/media/html/plots/*")
    }
    assert {"arms", "differences", "test_set", "training_set_raft"} <= set(pictures)
    assert any("distractors" in name for name in pictures), "the curve over the conditions"
    for file in pictures.values():
        text = file.read_text()
        assert "<svg " in text
        assert "var(--" not in text, "colours that a page would have to say"


def test_a_study_has_a_page_also_when_all_was_reused(tracked, server):
    folder, _, _ = tracked
    done = raft_exp(folder, *ASKED, "report=wandb", **online(server))
    assert done.returncode == 0, done.stderr
    run = run_folder(folder)
    assert set(statuses(run).values()) == {"reused"}
    assert (run / "report.html").exists()
    [told] = [one for one in server.runs.values() if one["groupName"] == "quickstart"]
    assert told["jobType"] == "report"
    assert "host" not in told
    assert "program" not in told
    [page] = [one for one in server.saved if one["displayName"] == "quickstart"]
    assert f"W&B report: {server.url}/{wandb_server.ENTITY}/raft_exp/reports/" in done.stdout
    text = json.dumps(page["spec"])
    results = json.loads((run / "results.json").read_text())
    assert json.dumps(results["verdict"]) in text
    assert results["warnings"], "a random model, few questions"
    assert all(json.dumps(line) in text for line in results["warnings"])
    assert {"results", "comparisons", "examples", "retrieval", "audit"} <= shown_tables(page)
    assert "plots/arms" in text
    assert f"/runs/{told['name']}" in text, "a link to the run"


def shown_tables(page: dict) -> set[str]:
    panels = [panel for block in page["spec"]["blocks"] for panel in panels_of(block)]
    weave = [panel["config"]["panel2Config"] for panel in panels if panel["viewType"] == "Weave"]
    return {one["exp"]["fromOp"]["inputs"]["key"]["val"] for one in weave}


def panels_of(block: dict) -> list[dict]:
    return block["metadata"]["panelBankSectionConfig"]["panels"] if block["type"] == "panel-grid" else []


def test_a_sweep_is_one_group_and_one_page_with_its_curves(tracked, server):
    folder, _, _ = tracked
    done = raft_exp(
        folder,
        *SMALL,
        "evaluation.arms=[rag]",
        "~evaluation.conditions.k0",
        "~evaluation.conditions.k4",
        "logger=wandb",
        "report=wandb",
        "-m",
        "evaluation.num_distractors=1,3",
        "hydra.sweep.dir=runs/swept",
        **online(server),
    )
    assert done.returncode == 0, done.stderr
    runs = [one for one in server.runs.values() if one["groupName"] == "swept"]
    assert sorted(one["jobType"] for one in runs) == ["report", "report", "sweep"]
    given = [json.loads(one["config"]) for one in runs if one["jobType"] == "report"]
    assert sorted(one["evaluation.num_distractors"]["value"] for one in given) == [1, 3]
    assert {one["sweep"]["value"] for one in given} == {"swept"}
    [page] = [one for one in server.saved if one["displayName"] == "quickstart swept"]
    panels = [panel for block in page["spec"]["blocks"] for panel in panels_of(block)]
    [curve] = [panel["config"] for panel in panels if panel["viewType"] == "Run History Line Plot"]
    assert curve["xAxis"] == "curve/evaluation_num_distractors"
    assert curve["metrics"] == ["curve/evaluation_num_distractors/rag"]
    [dots] = [panel["config"] for panel in panels if panel["viewType"] == "Scatter Plot"]
    assert (dots["xAxis"], dots["yAxis"]) == ("config:evaluation.value.num_distractors", "summary:rag/exact_match")
    assert {"curves", "comparisons", "results", "examples"} <= shown_tables(page)
    assert all(f"/runs/{one['name']}" in json.dumps(page["spec"]) for one in runs)
    for job, distractors in enumerate((1, 3)):
        told = json.loads((folder / "runs" / "swept" / str(job) / "results.json").read_text())
        [pooled] = [
            row["value"]
            for row in table(folder / "runs" / "swept", "curves")
            if (row["evaluation.num_distractors"], row["metric"], row["seed"]) == (distractors, "rouge_l", "pooled")
        ]
        assert pooled == pytest.approx(told["arms"]["rag"]["metrics"]["rouge_l"]["value"])


def test_a_server_that_refuses_the_page_ends_no_study(tracked):
    folder, _, _ = tracked
    with wandb_server.serving(reports=False) as server:
        done = raft_exp(folder, *ASKED, "report=wandb", **online(server))
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if "W&B report: could not be saved" in line]
    assert "Traceback" not in done.stderr
    assert (run_folder(folder) / "report.html").exists()


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        (["logger=csv"], "logger=csv sends nothing to W&B; add logger=wandb"),
        (["logger=wandb", "logger.mode=offline"], "logger.mode=offline sends nothing to W&B; use logger.mode=auto"),
        (["logger=wandb"], "there is no login; set WANDB_API_KEY or run `wandb login`"),
        (["logger=wandb"], "WANDB_MODE=offline sends nothing to W&B; unset it"),
    ],
)
def test_what_a_page_lacks_is_said_before_anything_is_computed(overrides, why, monkeypatch, tmp_path):
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("WANDB_API_KEY", KEY if "WANDB_MODE" in why else "")
    monkeypatch.setenv("WANDB_MODE", "offline")
    with pytest.raises(ConfigError) as told:
        _check("report=wandb", *overrides)
    assert str(told.value) == f"report: got 'wandb', but {why}; or use report=html, which needs no W&B"


def _check(*overrides):
    config = parse(compose(*overrides))
    check(config.logger, config.makes_wandb_page(), sweep="")


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setattr("raft_exp.reporting.wandb.page.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"wandb-workspaces is not installed; pip install 'raft_exp\[wandb-report\]'"):
        _check("report=wandb", "logger=wandb")


def test_a_page_that_nothing_reports_on_needs_no_login():
    _check("report=wandb", "until=dataset")
    _check("report=wandb", "preview=1")


def test_a_sweep_without_a_login_is_one_line(tmp_path):
    done = raft_exp(
        tmp_path,
        *SMALL,
        "logger=wandb",
        "report=wandb",
        "-m",
        "seed=1,2",
        WANDB_API_KEY="",
        NETRC=str(tmp_path / "none"),
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("ConfigError: report: got 'wandb', but there is no login")
    assert done.stderr.count("no login") == 1
    assert not list((tmp_path / "store").glob("*/*/manifest.json"))


@pytest.mark.parametrize("host", ["api.wandb.ai", "own.example"])
def test_a_login_is_found_for_the_server_that_is_asked(host, monkeypatch, tmp_path):
    from wandb.sdk import wandb_setup

    from raft_exp.reporting.wandb.runs import has_key

    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    assert not has_key()
    (tmp_path / "netrc").write_text(f"machine {host}\n  login user\n  password {KEY}\n")
    if host == "own.example":
        assert not has_key(), "a login elsewhere"
        monkeypatch.setattr(wandb_setup.singleton().settings, "base_url", f"https://{host}")
    assert has_key()


def test_no_secret_reaches_a_file_a_message_or_a_server(tracked, server):
    folder, done, _ = tracked
    texts = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    texts += [done.stdout.encode(), done.stderr.encode(), *server.bodies]
    for secret in (KEY, *CANARIES.values()):
        assert not any(secret.encode() in text for text in texts), secret


def test_a_server_that_does_not_answer_stops_no_study(tmp_path):
    done = raft_exp(
        tmp_path,
        *SMALL,
        "evaluation.arms=[raft]",
        "until=train",
        "logger=wandb",
        "logger.mode=online",
        WANDB_API_KEY="0" * 40,
        WANDB_BASE_URL="http://127.0.0.1:9",
        WANDB_MODE="online",
    )
    assert done.returncode == 0, done.stderr
    assert "W&B does not answer" in done.stderr
    assert len(read_back(run_folder(tmp_path))) == 1


class Lost:
    """A logger whose W&B has gone."""

    def log_metrics(self, figures, step):
        raise ConnectionResetError("Connection lost")


@pytest.fixture
def tracker(tmp_path):
    config = WandbConfig(name="wandb", project="raft_exp", entity=None, mode="auto", tags=[])
    return WandbTracker(WandbStudy(config, "quickstart", {}, tmp_path))


def test_a_wandb_that_breaks_down_ends_no_training(tracker, monkeypatch, caplog):
    import wandb

    def broken(*_, **__):
        raise ConnectionResetError("Connection lost")

    monkeypatch.setattr("raft_exp.reporting.wandb.runs.start", broken)
    monkeypatch.setattr(wandb, "finish", broken)
    assert tracker.training_loggers("train[raft]") == []
    assert not tracker.log_figures([Lost()], {"train/loss": 1.0}, 1)
    assert tracker.log_figures([], {"train/loss": 1.0}, 1)
    tracker.end_run()
    assert [line.count("Connection lost") for line in caplog.messages if line.startswith("W&B:")] == [1, 1, 1]


def test_a_server_that_goes_away_is_not_waited_for_without_end(tracker, monkeypatch, tmp_path, caplog):
    monkeypatch.setattr("raft_exp.reporting.wandb.runs._FINISH_TIMEOUT", 3)
    monkeypatch.setattr("raft_exp.reporting.wandb.runs._INIT_TIMEOUT", 3)
    with wandb_server.serving() as server:
        for name, value in online(server).items():
            monkeypatch.setenv(name, value)
        from wandb.sdk import wandb_setup

        monkeypatch.setattr(wandb_setup.singleton().settings, "base_url", server.url)
        loggers = tracker.training_loggers("train[raft]")
        assert not loggers[0].experiment.offline
    assert tracker.log_figures(loggers, {"train/loss": 1.0}, 1)
    began = time.monotonic()
    tracker.end_run()
    assert time.monotonic() - began < 30
    assert any("the end of a run could not be logged" in line for line in caplog.messages)


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        (None, "online"),
        ("online", "online"),
        ("shared", "online"),
        ("offline", "offline"),
        ("disabled", "offline"),
        ("dryrun", "offline"),
        ("of", "offline"),
    ],
)
def test_what_the_environment_says_of_wandb_is_heard(said, mode, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    if said:
        monkeypatch.setenv("WANDB_MODE", said)
    assert mode_of("auto") == mode
    assert mode_of("online") == "online"


@pytest.mark.parametrize("override", ["logger.project=a/b", "logger.project=''", f"logger.tags=[{'x' * 65}]"])
def test_what_wandb_would_refuse_is_refused_before_anything_is_computed(override):
    with pytest.raises(ConfigError, match=override.partition("=")[0] + r".*: got .*; must (match|have) "):
        parse(compose("logger=wandb", override))


def test_a_page_on_a_server_that_does_not_answer_is_refused_at_once(tmp_path):
    done = raft_exp(
        tmp_path,
        *SMALL,
        "logger=wandb",
        "report=wandb",
        WANDB_API_KEY="0" * 40,
        WANDB_BASE_URL="http://127.0.0.1:9",
        WANDB_MODE="online",
    )
    assert done.returncode == 2
    assert "W&B rejects the login or does not respond" in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "store").glob("*/*/manifest.json"))
