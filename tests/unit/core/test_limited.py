"""Work in a child process with limits of time and memory."""

import pytest

from raft_exp.core import limited

BUSY = "import time\nwhile time.process_time() < {seconds}:\n    pass\n"


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Returns a function that writes the modules `slow` and `child`, and gives the reply of the child process."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")

    def ask(import_seconds: float, body: str, *modules: str):
        (tmp_path / "slow.py").write_text(BUSY.format(seconds=import_seconds))
        work = f"def work(data):\n    import slow\n    {body}\n"
        words = ", ".join(["work", *map(repr, modules)])
        (tmp_path / "child.py").write_text(f"from raft_exp.core import limited\n{work}limited.answer({words})\n")
        return limited.ask("child", {"x": 1}, seconds=0)  # the limit is within the next second

    return ask


def test_an_import_does_not_count_when_it_is_named(child):
    assert child(2.5, "return data", "slow") == {"x": 1}


def test_an_import_within_the_work_counts(child):
    with pytest.raises(limited.LimitError, match="more than 0 s"):
        child(30, "return data")


def test_the_work_counts_after_an_import(child):
    with pytest.raises(limited.LimitError, match="more than 0 s"):
        child(1.5, "while True: pass", "slow")
