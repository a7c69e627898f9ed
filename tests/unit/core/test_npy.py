"""Arrays written bit by bit are what numpy would have written, and rows are read as from numpy's array."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.collection import mapped
from raft_exp.core.npy import Column, Rows


@given(st.lists(st.integers(0, 2**32 - 1) | st.lists(st.integers(0, 2**32 - 1), max_size=5), max_size=30))
@settings(max_examples=200, deadline=None)
def test_a_column_is_the_array_that_numpy_saves(tmp_path_factory, pieces):
    folder = tmp_path_factory.mktemp("column")
    whole = [number for piece in pieces for number in (piece if isinstance(piece, list) else [piece])]
    with Column(folder / "grown.npy", "<u4") as column:
        for piece in pieces:
            column.extend(np.array(piece)) if isinstance(piece, list) else column.add(piece)
    np.save(folder / "saved.npy", np.array(whole, dtype=np.uint32))
    assert (folder / "grown.npy").read_bytes() == (folder / "saved.npy").read_bytes()
    assert mapped(folder / "grown.npy").tolist() == whole


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_rows_are_those_of_the_array(tmp_path_factory, data):
    shape = data.draw(st.sampled_from([(0,), (7,), (30, 3), (0, 3), (5, 2, 2)]))
    array = np.random.default_rng(0).normal(size=shape).astype(data.draw(st.sampled_from(["<f4", "<f8"])))
    file = tmp_path_factory.mktemp("rows") / "array.npy"
    np.save(file, array)
    rows = Rows(file)
    assert (rows.shape, rows.dtype, len(rows)) == (array.shape, array.dtype, len(array))
    numbers = data.draw(st.lists(st.integers(0, max(0, shape[0] - 1)), max_size=12 if shape[0] else 0))
    start, stop = (data.draw(st.none() | st.integers(-9, 40)) for _ in range(2))
    step = data.draw(st.none() | st.integers(1, 4))
    for items in (np.array(numbers, dtype=np.int64), slice(start, stop, step)):
        np.testing.assert_array_equal(rows[items], array[items], strict=True)


def test_rows_that_are_missing_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 2)))
    with pytest.raises(IndexError, match="has 4 items"):
        Rows(tmp_path / "a.npy")[np.array([1, 4])]
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[:-1])
    with pytest.raises(EOFError, match="shorter"):
        Rows(tmp_path / "a.npy")[:]
