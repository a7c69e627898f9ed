"""`evaluation.min_quote_words` changes the report alone."""

from pathlib import Path

from tests.helpers.stages import study_stages


def test_only_the_report_reads_the_least_number_of_words(tmp_path: Path) -> None:
    shipped, stated, other = (
        {stage.label: stage.key for stage in study_stages(tmp_path, "+experiment=quickstart", *changes)}
        for changes in ((), ("evaluation.min_quote_words=3",), ("evaluation.min_quote_words=5",))
    )
    assert shipped == stated
    assert {label for label, key in shipped.items() if other[label] != key} == {"report"}
