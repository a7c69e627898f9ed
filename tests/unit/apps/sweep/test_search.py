"""A search as it is asked and told: no point twice, whoever asks; nothing is lost with a process."""

from typing import Any

import pytest

from raft_exp.apps.sweep.search import Search, SearchConfig
from raft_exp.apps.sweep.space import Choices, Interval
from raft_exp.core.errors import ConfigError, SweepError
from raft_exp.training import pruning
from raft_exp.training.pruning import SearchTrial

pytest.importorskip("optuna", reason="the extra [search]")

CHOICES = {"a": Choices(("1", "2", "3", "4")), "b": Choices(("x", "y"))}
NUMBERS = {"rate": Interval(1e-5, 1e-1, whole=False, log=True), "r": Interval(4, 64, whole=True, log=True)}


def search(folder, space=CHOICES, directions=("maximize",), what="this", **changes):
    settings: dict[str, Any] = {
        "n_trials": 8,
        "n_jobs": 1,
        "sampler": "tpe",
        "seed": 0,
        "objective": None,
        "direction": "maximize",
        "pruning": "none",
        "storage": None,
        "name": None,
    }
    return Search(SearchConfig(**settings | changes), space, directions, {"what": what}, folder / "s.db")


def _watched(stage: str) -> SearchTrial:
    watched = SearchTrial.of(stage)
    assert watched is not None
    return watched


def worth(trial):
    return float(sum(map(ord, "".join(trial.point.values()))) % 17)


def run(opened, most=1000):
    """Runs at most so many trials to their end."""
    with opened:
        for _ in range(most):
            proposed = opened.propose()
            if proposed is None:
                break
            opened.finish(proposed, [worth(proposed)])
        return opened.trials()


def points(trials, *states):
    return [tuple(trial.point.items()) for trial in trials if trial.state in (states or ("complete",))]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "random", "grid"])
def test_every_point_once_and_then_no_more(tmp_path, sampler):
    tried = points(run(search(tmp_path, sampler=sampler, n_trials=50)))
    assert len(tried) == len(set(tried)) == 8


@pytest.mark.slow
@pytest.mark.parametrize("space", [CHOICES, NUMBERS])
def test_a_search_that_was_killed_goes_on_to_the_same_points(tmp_path, space):
    (tmp_path / "whole").mkdir()
    whole = points(run(search(tmp_path / "whole", space, n_trials=7)))
    for most in (2, 3):
        broken = search(tmp_path, space, n_trials=7)
        run(broken, most)
        with search(tmp_path, space, n_trials=7) as dying:
            assert dying.propose() is not None
        # the lock is given back as a killed process gives it back, and the trial was never told
    assert points(run(search(tmp_path, space, n_trials=7))) == whole
    assert len(set(whole)) == 7


@pytest.mark.slow
def test_two_processes_never_try_one_point(tmp_path):
    with search(tmp_path, n_trials=8) as one, search(tmp_path, n_trials=8) as other:
        seen = []
        while batch := [trial for trial in (one.propose(), other.propose(), other.propose()) if trial]:
            seen += [tuple(trial.point.items()) for trial in batch]
            for trial in batch[:1]:
                one.finish(trial, [worth(trial)])
        assert len(seen) == len(set(seen)) == 8
        assert {trial.state for trial in one.trials()} == {"running", "complete"}, "a living process keeps its trials"


@pytest.mark.slow
def test_a_point_that_failed_is_not_tried_again_until_the_next_start(tmp_path):
    with search(tmp_path, n_trials=8) as opened:
        bad = opened.propose()
        assert not opened.fail(bad, "out of memory")
        rest = run(opened)
    assert tuple(bad.point.items()) not in points(rest)
    assert [trial.note for trial in rest if trial.state == "failed"] == ["out of memory"]
    again = run(search(tmp_path, n_trials=8))
    assert len(set(points(again))) == 8
    assert not points(again, "failed")


@pytest.mark.slow
def test_best_of_one_and_of_several_objectives(tmp_path):
    tried = run(search(tmp_path, n_trials=8))
    assert search(tmp_path).best()[0].values == [max(trial.values[0] for trial in tried)]
    (tmp_path / "two").mkdir()
    with search(tmp_path / "two", directions=("maximize", "minimize"), n_trials=8) as both:
        while trial := both.propose():
            both.finish(trial, [float(trial.point["a"]), float(trial.point["a"]) + (trial.point["b"] != "x")])
        front = both.best()
    assert {trial.point["b"] for trial in front} == {"x"}
    assert [trial.point["a"] for trial in front] == ["4", "3", "2", "1"]


def test_what_cannot_be_searched_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"hydra\.sweeper\.sampler: got 'grid', but a grid needs a list of values"):
        search(tmp_path, NUMBERS, sampler="grid")
    run(search(tmp_path), 1)
    with pytest.raises(SweepError, match="holds another search"):
        search(tmp_path, what="that")


def test_a_search_goes_on_with_another_logger_store_or_report(tmp_path):
    from hydra_plugins.raft_exp.optuna_sweeper import identity

    first, more = (
        ["+experiment=quickstart", "model=tiny"],
        ["logger=wandb", "+logger.tags=[a]", "report=wandb", "store=x"],
    )
    run(search(tmp_path, what=str(identity(first))), 1)
    assert len(run(search(tmp_path, what=str(identity([*first, *more])), n_trials=2))) == 2
    assert identity([*first, "dataset.p=1"]) != identity(first)


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_a_training_above_the_median_is_pruned(tmp_path, monkeypatch, direction):
    with search(tmp_path, directions=(direction,), n_trials=8) as opened:
        for _ in range(6):
            trial = opened.propose()
            monkeypatch.setenv(pruning.VARIABLE, str(opened.watch(trial, "train[raft]")))
            assert SearchTrial.of("train[closed_book]") is None
            assert not _watched("train[raft]").hopeless(10, 2.0)
            opened.finish(trial, [0.5])
        better, worse = opened.propose(), opened.propose()
        monkeypatch.setenv(pruning.VARIABLE, str(opened.watch(better, "train[raft]")))
        assert not _watched("train[raft]").hopeless(10, 1.9)
        monkeypatch.setenv(pruning.VARIABLE, str(opened.watch(worse, "train[raft]")))
        assert _watched("train[raft]").hopeless(10, 2.1)
        opened.finish(better, [0.6])
        assert opened.fail(worse, "Pruned: ...")
        assert [trial.state for trial in opened.trials()][-2:] == ["complete", "pruned"]
        assert opened.propose() is None, "a pruned trial counts"
    monkeypatch.delenv(pruning.VARIABLE)
    assert SearchTrial.of("train[raft]") is None
