"""What tests share: real records where the machine has them, composed configs, small studies."""

import gc
import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # the first example of a property may wait for an import
settings.load_profile("any machine")

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two test processes on two cores: more threads only wait for each other
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["HF_HUB_OFFLINE"] = "1"  # nothing in the tests may depend on a network
os.environ["WANDB_MODE"] = "offline"

# The tests start many processes; without files of bytecode each would compile the package again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_collection_finish() -> None:
    """Leaves out the modules of torch and others when Python looks for garbage, which takes a second with them."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def small_study(tmp_path_factory) -> Path:
    """The run folder of a finished study, made once a process; its store stands beside it. Not to be changed."""
    from tests.helpers import small_study as small_run

    return small_run.make(tmp_path_factory.mktemp("study"), "+evaluation.conditions.found={context: retrieved}")


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    """The dataset folder of a training of two steps an epoch."""
    from tests.helpers import small_training as small

    return small.dataset(tmp_path_factory.mktemp("dataset"), train=7, validation=3)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real records that RAFT_EXP_TEST_DATA names."""
    folder = os.environ.get("RAFT_EXP_TEST_DATA")
    if not folder:
        pytest.skip("real records: set RAFT_EXP_TEST_DATA to the folder that holds pubmedqa/, hotpotqa/, ...")
    return Path(folder).resolve()
