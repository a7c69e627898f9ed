"""One raft dataset, byte by byte: tests/golden/README.md says when its file may be renewed."""

from tests.golden.rows import GOLDEN, made


def test_the_rows_of_one_seed_are_the_bytes_of_the_golden_file(tmp_path):
    assert made(tmp_path) == GOLDEN.read_bytes()
