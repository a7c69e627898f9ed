"""The real records of Natural Questions."""

from pathlib import Path

import pytest

from tests.helpers.natural_questions import Row, read


@pytest.fixture
def real(test_data: Path) -> Path:
    return test_data / "natural_questions"


@pytest.fixture
def page(real: Path) -> Row:
    (row,) = read(real / "v1.0-simplified" / "simplified-nq-sample.jsonl")
    return row
