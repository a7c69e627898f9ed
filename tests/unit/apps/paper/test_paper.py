"""What `python -m raft_exp.paper` would run, on which data, and what it says about it."""

from pathlib import Path

import pytest
import yaml

from raft_exp.apps.paper import main as command
from raft_exp.apps.paper.local import local_words
from raft_exp.apps.paper.sweeps import paper_sweeps, with_small_model
from raft_exp.core.errors import DataError
from raft_exp.pipeline.config import conf_dir
from raft_exp.reporting.published import paper

CONTEXTS = "nq-open-20_total_documents_gold_at_0.jsonl.gz"


def sweeps(*words: str, data: Path | None = None):
    return list(paper_sweeps(words, data, Path("runs/paper")))


def test_every_table_and_figure_has_its_data_sets():
    found = [(sweep.study, sweep.corpus) for sweep in sweeps()]
    table1 = ["pubmedqa", "hotpotqa", "apibench/huggingface", "apibench/torchhub", "apibench/tensorflow"]
    curves = ["natural_questions", "triviaqa", "hotpotqa"]
    assert found == [
        *(("table1", name) for name in table1),
        *(("p_sweep", name) for name in curves),
        *(("distractors", name) for name in curves),
    ]
    assert {name for _, name in found} == {*paper()["corpora"]}
    with_figures = [name for name, corpus in paper()["corpora"].items() if corpus["figures"]]
    assert {*with_figures} == {*table1}
    assert len({sweep.folder for sweep in sweeps()}) == len(found)


def params(name: str) -> dict[str, str]:
    settings = yaml.safe_load((conf_dir() / "experiment" / "paper" / f"{name}.yaml").read_text())
    return settings["hydra"]["sweeper"]["params"]


def test_the_jobs_are_those_of_the_experiments_alone():
    by_study = {sweep.study: sweep.jobs() for sweep in sweeps("seed=0,1", "evaluation.max_items=9")}
    values = params("p_sweep")["dataset.p"].split(",")
    assert [[word for word in job if word.startswith("dataset.p=")] for job in by_study["p_sweep"][::2]] == [
        [f"dataset.p={value}"] for value in values
    ]
    assert len(by_study["distractors"]) == 2 * len(params("distractors")["dataset.num_distractors"].split(","))
    assert [job[-2:] for job in by_study["table1"]] == [[f"seed={n}", "evaluation.max_items=9"] for n in (0, 1)]
    assert len(sweeps("dataset.p=0.4")[5].jobs()) == 1, "the user's value replaces the experiment's"


def test_a_short_paper_has_a_small_model_unless_one_is_named():
    assert with_small_model(["+debug=short"]) == ["+debug=short", "model=tiny", "trainer=cpu"]
    assert with_small_model(["+debug=short", "model=pocket"]) == ["+debug=short", "model=pocket", "trainer=cpu"]
    assert with_small_model(["seed=1"]) == ["seed=1"]


def test_local_data_stand_in_folders_of_their_names(tmp_path):
    folder = tmp_path / "natural_questions" / "lost"
    folder.mkdir(parents=True)
    (tmp_path / "hotpotqa").mkdir()
    (folder / CONTEXTS).write_text("")
    words, lack = local_words(tmp_path, "natural_questions")
    assert (words, "split at random" in lack) == ([f"corpus.path={folder / CONTEXTS}"], True)
    (folder / "biencoder-nq-train.json.gz").write_text("")
    assert local_words(tmp_path, "natural_questions") == ([f"corpus.path={tmp_path / 'natural_questions'}"], "")
    with pytest.raises(DataError, match="has no folder triviaqa; put the files of the data set there"):
        local_words(tmp_path, "triviaqa")
    found = {sweep.corpus: sweep for sweep in sweeps(data=tmp_path)}
    assert found["hotpotqa"].failure == ""
    assert found["triviaqa"].failure.endswith("has no folder triviaqa; put the files of the data set there")


def test_nothing_to_run_and_wrong_words_are_refused(tmp_path, capsys):
    for words, told in (
        ((f"data={tmp_path}",), "DataError: no study of the paper can be run: "),
        (("tiny",), "ConfigError: SETTING: got 'tiny'; settings are written name=value, such as model=qwen3_4b"),
    ):
        with pytest.raises(SystemExit) as ended:
            command.main([*words, f"out={tmp_path / 'out'}"])
        assert ended.value.code == 2
        assert capsys.readouterr().err.startswith(told)
    assert not (tmp_path / "out").exists()
