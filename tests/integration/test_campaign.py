"""The page of what was tried to break raft_exp has a table of each campaign, and a quick campaign runs."""

from pathlib import Path

import pytest

from tests.campaign import __main__ as command
from tests.campaign import spread
from tests.campaign.table import Row, markdown, replaced

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "reliability.md"


@pytest.mark.parametrize("name", command.CAMPAIGNS)
def test_the_page_has_the_table_of_each_campaign(name):
    table = PAGE.read_text(encoding="utf-8").partition(f"<!-- campaign: {name} -->")[2].partition("<!-- end -->")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][2:]
    assert rows
    assert all(int(tried) > 0 for *_, tried, _ in rows)


def test_a_table_replaces_the_one_before():
    row = Row("a bit turned", "refused")
    row.add("one")
    row.add("two", "not noticed")
    page = "a\n<!-- campaign: x -->\nold\n<!-- end -->\nb\n"
    new = replaced(page, "x", markdown([row]))
    assert "| a bit turned | refused | 2 | 1 |" in new
    assert "old" not in new
    assert (new[:2], new[-3:]) == ("a\n", "\nb\n")
    assert row.wrong == ["two: not noticed"]


def test_an_unknown_name_is_one_line(capsys):
    assert command.main(["kill"]) == 2
    assert "kill: campaigns are kills, spread, damages" in capsys.readouterr().out


@pytest.mark.slow
def test_odd_replies_become_no_answers(capsys):
    assert command.main(["replies", "seed=1"]) == 0, capsys.readouterr().out


@pytest.mark.slow
def test_killed_tasks_of_ingest_and_of_rows_change_no_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(spread, "STUDIES", 1)
    (row,) = spread.run(tmp_path, 0)
    assert row.tried == 1
    assert not row.wrong
