"""A study with evaluation.nli: its stages and keys, what is refused, and a whole run on the command line's path."""

import json
import shutil
from pathlib import Path

import pytest

from raft_exp.apps import cli
from raft_exp.apps.report import rescore
from raft_exp.core.errors import ConfigError, ModelError
from raft_exp.evaluation.results import read_predictions
from raft_exp.pipeline.parsing import parse
from raft_exp.reporting.runs import open_runs
from tests.helpers import cross_encoder as tiny
from tests.helpers import scripted_judge
from tests.helpers.composing import compose
from tests.helpers.scripted_server import ScriptedServer
from tests.helpers.small_study import SMALL
from tests.helpers.stages import stages_of

OVERRIDES = [*SMALL, "+evaluation.conditions.found={context: retrieved}"]
ARMS = (
    "evaluation.arms=[base,rag,rag_cot,oracle,sft_cot,raft]",
    "+arms.oracle={recipe:none,context:gold,cot:true,adapter:null}",
)


@pytest.fixture(scope="module")
def nli(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("sentence_transformers", reason="pip install 'raft_exp[dense]'")
    folder = tiny.write(tmp_path_factory.mktemp("nli"), names=tiny.NLI, seed=16)
    return f"evaluation.nli={{name_or_path:{folder},accelerator:cpu}}"


def test_arms_that_show_passages_and_ask_for_quotes_have_a_stage_and_no_other_key_changes(nli: str) -> None:
    before, after = stages_of(*ARMS), stages_of(*ARMS, nli)
    made = [label for label in after if label.startswith("citations")]
    assert made == ["citations[rag_cot]", "citations[oracle]", "citations[raft]"]
    del before["report"]
    assert {label: after[label].key for label in before} == {label: stage.key for label, stage in before.items()}
    assert after["report"].inputs["citations"] == {label[10:-1]: after[label] for label in made}
    assert after["citations[oracle]"].inputs["test"] == after["dataset[test_gold]"]
    assert list(after)[-1] == "report"
    assert "citations[raft]" not in stages_of(*ARMS, nli, "until=evaluate")
    assert "citations[raft]" in stages_of(*ARMS, nli, "until=citations")


def test_the_model_and_what_reads_replies_are_in_the_key(nli: str) -> None:
    key = stages_of(nli)["citations[raft]"].key
    name = nli.replace("}", ",max_length:64}")
    others = [stages_of(*changes)["citations[raft]"].key for changes in ([name], [nli, "evaluation.min_quote_words=4"])]
    assert len({key, *others}) == 3


def test_a_shipped_model_is_one_word_away() -> None:
    model = parse(compose("nli@evaluation.nli=deberta")).evaluation.nli
    assert model
    assert (model.name_or_path, model.max_length) == ("cross-encoder/nli-deberta-v3-small", 512)
    assert model.revision


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            "evaluation.arms=[base,rag,sft_cot]",
            r"evaluation\.nli: got .*, but no arm .* shows passages and asks for quotes",
        ),
        ("+evaluation.conditions={a:{nli:null}}", r"evaluation\.conditions\.a: got 'nli'"),
    ],
)
def test_what_cannot_be_is_refused(nli: str, overrides: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        stages_of(nli, *overrides.split())
    assert "\n" not in str(error.value)


def test_a_reranker_is_refused_before_anything_runs(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="pip install 'raft_exp[dense]'")
    with pytest.raises(ModelError, match=r"evaluation\.nli\.name_or_path=.*one of them 'entailment'"):
        stages_of(f"evaluation.nli={{name_or_path:{tiny.write(tmp_path)}}}")


@pytest.mark.slow
def test_a_run_reuses_the_replies_and_its_report_can_be_made_again(nli: str, small_study: Path, tmp_path: Path) -> None:
    store, run = tmp_path / "store", tmp_path / "run"
    shutil.copytree(small_study.parent / "store", store, symlinks=True)
    run.mkdir()
    with ScriptedServer(scripted_judge.script()) as server:
        judge = [*scripted_judge.overrides(server), "evaluation.judge.pair=null"]
        cli.study(compose(*OVERRIDES, nli, *judge, f"store={store}"), run, [])
    ran = {row["stage"] for row in json.loads((run / "plan.json").read_text()) if row["status"] == "ran"}
    assert ran == {"citations[raft]", "judge[rag]", "judge[raft]", "report"}
    results = json.loads((run / "results.json").read_text())
    figures = results["arms"]["raft"]["citations"]["nli"]
    rows = list(read_predictions(run / "predictions" / "raft.jsonl"))
    claims = [claim for row in rows for claim in row["claims"]]
    assert len(rows) == 6
    assert figures["recall"]["n"] == len(claims) > 0
    assert figures["recall"]["value"] == pytest.approx(sum(claim["supported"] for claim in claims) / len(claims))
    assert set(results["arms"]["raft"]["citations"]) == {"nli", "judge"}
    shutil.rmtree(store / "citations")
    rescore.make_again(open_runs([run])[0][0], tmp_path / "again")
    again = json.loads((tmp_path / "again" / "results.json").read_text())
    assert again["arms"] == results["arms"], "the claims in the predictions give the same figures"
