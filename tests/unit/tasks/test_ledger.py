"""The ledger: what was paid is found again, whatever happened to the run that paid it."""

import json
import signal
import subprocess
import sys
import time

import pytest

from raft_exp.core.errors import StoreError
from raft_exp.tasks import ledger
from raft_exp.tasks.ledger import Ledger, LedgerEntry, fixed, request_key
from tests.helpers.command_line import environment

ROW = {"answer": "yes", "finish": "stop", "prompt_tokens": 3, "new_tokens": 1, "seconds": 0.5, "cost": 0.25}


def key(number: int) -> str:
    return request_key(fixed({"model": "m", "attempt": 0}), [{"role": "user", "content": str(number)}])


def _entry(ledger: Ledger, number: int) -> LedgerEntry:
    entry = ledger.get(key(number))
    assert entry is not None
    return entry


def test_every_part_of_a_request_is_in_its_key():
    messages = [{"role": "user", "content": "a"}]
    asked = {"model": "m", "temperature": 0.0, "version": 1, "attempt": 0}
    others = [
        {**asked, name: value} for name, value in (("model", "n"), ("temperature", 0.5), ("version", 2), ("attempt", 1))
    ]
    keys = {request_key(fixed(one), messages) for one in [asked, *others]} | {
        request_key(fixed(asked), [*messages, *messages])
    }
    assert len(keys) == 6
    assert request_key(fixed(dict(reversed(asked.items()))), messages) in keys


def test_what_was_added_is_found_by_this_process_and_the_next(tmp_path):
    first = Ledger(tmp_path, "maker/model:1")
    first.write([(key(1), ROW), (key(2), {**ROW, "answer": "a\nb\u2028\ud800 \u00e9"})])
    for found in (first, Ledger(tmp_path, "maker/model:1")):
        assert len(found) == 2
        assert found.get(key(1)) == LedgerEntry("yes", "stop", 3, 1, 0.5, 0.25)
        assert _entry(found, 2).answer == "a\nb\u2028\ud800 \u00e9"
        assert found.get(key(3)) is None
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["maker_model_1.claims", "maker_model_1.jsonl"]


def test_a_torn_last_line_is_cut_and_foreign_lines_are_passed_over(tmp_path, caplog):
    whole = Ledger(tmp_path, "m")
    whole.write([(key(1), ROW)])
    with whole.path.open("a") as file:
        file.write('not a row\n{"key": "zz"}\n' + json.dumps({"key": key(2), **ROW})[:80])
    found = Ledger(tmp_path, "m")
    assert len(found) == 1
    assert "2 lines are not replies" in caplog.text
    found.write([(key(3), ROW)])
    assert Ledger(tmp_path, "m").get(key(3)) == Ledger(tmp_path, "m").get(key(1))


@pytest.mark.parametrize("change", [('"yes"', '"yes'), ("3", '"3"'), ('"answer"', '"anzwer"'), ("0.25", '"\\ud800"')])
def test_a_line_damaged_inside_is_named_and_not_taken_for_an_answer(tmp_path, change):
    made = Ledger(tmp_path, "m")
    made.write([(key(1), ROW), (key(2), ROW)])
    line, other = made.path.read_text().splitlines()
    head, tail = line[:75], line[75:]
    old, new = change
    made.path.write_text(f"{head}{tail.replace(old, new, 1)}\n{other}\n")
    again = Ledger(tmp_path, "m")
    assert again.get(key(2)) == LedgerEntry("yes", "stop", 3, 1, 0.5, 0.25)
    with pytest.raises(StoreError, match=rf"m.jsonl: the line of request {key(1)} is damaged .*remove this line"):
        again.get(key(1))


def test_the_first_answer_stays(tmp_path):
    made = Ledger(tmp_path, "m")
    made.write([(key(1), ROW)])
    made.write([(key(1), {**ROW, "answer": "no"})])
    assert _entry(Ledger(tmp_path, "m"), 1).answer == _entry(made, 1).answer == "yes"


def test_a_process_sees_what_another_writes(tmp_path):
    one, other = Ledger(tmp_path, "m"), Ledger(tmp_path, "m")
    one.write([(key(1), ROW)])
    assert key(1) not in other
    other.refresh()
    other.write([(key(2), ROW)])
    one.refresh()
    assert all(name in found for name in (key(1), key(2)) for found in (one, other))
    assert not other.claim(key(1)), "what has an answer is not asked again"


CLAIMING = """
import sys, time
from pathlib import Path
from raft_exp.tasks.ledger import Ledger
found = Ledger(Path(sys.argv[1]), "m")
print(found.claim(sys.argv[2]), flush=True)
time.sleep(60)
"""


def test_a_claim_keeps_others_out_until_its_process_ends_however_it_ends(tmp_path):
    found = Ledger(tmp_path, "m")
    with subprocess.Popen(
        [sys.executable, "-c", CLAIMING, str(tmp_path), key(1)], stdout=subprocess.PIPE, text=True, env=environment()
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert not found.claim(key(1))
        assert found.claim(key(2))
        assert not found.claim(key(2)), "one request is asked once by one process too"
        looks = found.wait([key(1)])
        next(looks)
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert len(list(looks)) < 20
    assert found.claim(key(1))
    found.release([key(1)])
    assert found.claim(key(1))


def test_a_ledger_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="paid again") as error:
        Ledger(tmp_path / "file" / "ledger", "m")
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_hundred_thousand_answers_are_there_in_five_seconds(tmp_path):
    made = Ledger(tmp_path, "m")
    keys = [key(number) for number in range(100_000)]
    made.write((name, {**ROW, "answer": "word " * 150}) for name in keys)
    began = time.monotonic()
    found = ledger.opened(tmp_path, "m")
    assert all((entry := found.get(name)) and entry.finish == "stop" for name in keys)
    assert time.monotonic() - began < 5
