"""Arrays written bit by bit are what numpy would have written."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from raft_exp.core.collection import mapped
from raft_exp.core.npy import Column


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
