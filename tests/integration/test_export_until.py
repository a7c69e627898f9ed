"""Passages are exported whatever the last stage is, and a run says which exports it does not write."""

import pytest

from raft_exp.core.errors import ConfigError
from raft_exp.core.stage import STAGES
from tests.helpers.command_line import raft_exp, run_folder
from tests.helpers.stages import stages_of

SMALL = ("model=tiny", "trainer.threads=1", "corpus.num_entities=40")


@pytest.mark.parametrize("until", STAGES)
def test_passages_are_exported_whatever_the_last_stage_is(until):
    settings = (*SMALL, f"until={until}", "export.passages=own.jsonl")
    if until == "model":
        with pytest.raises(
            ConfigError, match=r"export\.passages=own\.jsonl: got until=model.* set until=ingest or a later"
        ):
            stages_of(*settings)
    else:
        assert "export" in stages_of(*settings)


@pytest.mark.slow
def test_a_run_writes_the_file_and_names_the_exports_that_it_does_not_write(tmp_path):
    done = raft_exp(tmp_path, *SMALL, "until=questions", "export.passages=new/own.jsonl", "export.dataset=chat")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "new" / "own.jsonl").read_text().count("\n") == 40
    assert (
        "until=questions ends before the data sets; set until=dataset or later to write export.dataset" in done.stderr
    )
    assert not list(run_folder(tmp_path).glob("exports/raft*"))
    shown = raft_exp(tmp_path, *SMALL, "preview=1", "export.passages=other.jsonl", "export.for=[trl]")
    assert shown.returncode == 0, shown.stderr
    assert "preview=1 exports nothing; run without preview to write export.for, export.passages" in shown.stderr
