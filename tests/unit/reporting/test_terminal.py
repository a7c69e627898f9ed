"""The table in the terminal."""

import io

import pytest

from tests.helpers.report_study import Study, results


def test_the_table_for_the_terminal(study: Study) -> None:
    from rich.console import Console

    from raft_exp.reporting.terminal import table

    found = results(study.run())
    found["arms"]["rag"] |= {"n": 7405, "answered": 7000}
    shown = io.StringIO()
    Console(width=80, file=shown).print(table(found))
    text = shown.getvalue()
    assert "…" not in text, "five metrics fit in 80 columns"
    base = next(line for line in text.splitlines() if line.strip().startswith("base"))
    raft = next(line for line in text.splitlines() if line.strip().startswith("raft"))
    assert "*50.0" in base
    assert "100.0" in raft
    assert "*" not in raft
    assert "7000/7405" in text
    assert "invented" not in text, "no prompt asks for quotes"


@pytest.mark.slow
def test_requested_metrics_have_a_column_in_the_terminal_and_the_others_are_named(study: Study) -> None:
    from rich.console import Console

    from raft_exp.reporting.terminal import shown_metrics, table

    found = results(study.run())
    found["metrics"] = ["accuracy", "macro_f1", "exact_match", "f1", "answer_in_reply", "accuracy_lenient", "rouge_l"]
    columns, others = shown_metrics(found, ["rouge_l", "unmeasured"])
    assert columns == ["accuracy", "rouge_l", "macro_f1", "exact_match", "f1"]
    assert others == ["answer_in_reply", "accuracy_lenient"]
    shown = io.StringIO()
    Console(width=80, file=shown).print(table(found, ["rouge_l"]))
    text = " ".join(shown.getvalue().split())
    assert "ROUGE-L" in text
    assert "2 more in report.md: " in text


@pytest.mark.slow
def test_the_caption_says_what_is_corrected_and_what_n_counts(study: Study) -> None:
    from rich.console import Console

    from raft_exp.reporting.terminal import table

    found = results(study.run())
    found["model"] = "/home/somebody/models/small"
    shown = io.StringIO()
    Console(width=80, file=shown).print(table(found))
    text = " ".join(shown.getvalue().split())
    assert "pubmedqa, small, seed 0" in text, "a model is shown by the name of its folder"
    assert (
        "* differs from raft (p < 0.05 after Holm's correction for several comparisons; the comparison with rag "
        "was chosen before the run and is not corrected). n: test questions."
    ) in text
    found["arms"]["rag"] |= {"n": 60, "answered": 58}
    shown = io.StringIO()
    Console(width=80, file=shown).print(table(found))
    assert "n: test questions, as replies/questions where replies are missing." in " ".join(shown.getvalue().split())


def test_every_requested_metric_has_a_column_however_many_there_are(study: Study) -> None:
    from rich.console import Console

    from raft_exp.reporting.terminal import shown_metrics, table

    found = results(study.run())
    requested = ["exact_match", "f1", "answer_in_reply", "accuracy_lenient", "rouge_l", "best_subspan_em"]
    found["metrics"] = ["accuracy", "macro_f1", *requested]
    for arm in found["arms"].values():
        arm["metrics"] |= dict.fromkeys(requested, arm["metrics"]["accuracy"])
    assert shown_metrics(found, requested) == (["accuracy", *requested], ["macro_f1"])
    shown = io.StringIO()
    Console(width=80, file=shown).print(table(found, requested))
    text = shown.getvalue()
    assert len([line for line in text.splitlines() if line.strip().startswith("raft ")]) == 2, "two parts"
    words = text.partition("Percent, ")[0].split()
    assert {"ROUGE-L", "subspan", "F1"} <= set(words)
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    assert text.count("Percent, with 95% intervals.") == text.count("seed 0") == 1
    assert "1 more in report.md: macro F1." in " ".join(text.split())
