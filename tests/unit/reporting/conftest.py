"""A made study of three arms."""

from pathlib import Path

import pytest

from tests.helpers.report_study import Study, example


@pytest.fixture
def study(tmp_path: Path) -> Study:
    labels = ["yes", "no", "maybe", "yes"] * 15
    made = Study(tmp_path, [example(i, label, slices={"kind": label}) for i, label in enumerate(labels)])
    made.say("base", *["yes"] * 60)
    made.say("rag", *["yes", "no", "maybe", "no"] * 15)
    made.say("raft", *labels)
    rows = ["step,loss,validation_loss", "1,2.5,", "2,2.0,2.2", "3,nan,"]
    (tmp_path / "adapter" / "metrics.csv").write_text("\n".join(rows) + "\n")
    return made
