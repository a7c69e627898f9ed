"""An export whose tokenizer changes when it is saved."""

import pytest

from raft_exp.apps.export import main as export
from raft_exp.apps.export import tokenizer


@pytest.mark.parametrize(("arm", "remedy"), [("raft", "adapter in {run}/adapters"), ("rag", "choose a model with")])
def test_a_tokenizer_that_changes_is_refused_with_a_remedy_for_the_arm(
    small_study, tmp_path, capsys, monkeypatch, arm, remedy
):
    monkeypatch.setattr(tokenizer, "unchanged", lambda *_: False)
    with pytest.raises(SystemExit):
        export.main([str(small_study), f"arm={arm}", f"out={tmp_path / 'out'}"])
    told = capsys.readouterr().err
    assert f"so the arm {arm} cannot be exported" in told
    assert remedy.format(run=small_study) in told
    assert not (tmp_path / "out").exists()
