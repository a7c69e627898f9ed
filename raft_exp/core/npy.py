"""Arrays written to disk bit by bit, as .npy files that numpy reads and maps."""

from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, cast

import numpy as np


def write_header(file: BinaryIO, dtype: str, shape: tuple[int, ...]) -> None:
    """What stands before the numbers of an array."""
    cast(Any, np.lib.format).write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})


class Column:
    """A column of numbers whose length is known only when it is whole: `with` writes it down at the end."""

    def __init__(self, path: Path, dtype: str) -> None:
        self._dtype, self._bytes = np.dtype(dtype), 0
        self._file = path.open("wb")
        write_header(self._file, dtype, (0,))

    def add(self, value: int) -> None:
        """One whole number."""
        self._bytes += self._file.write(value.to_bytes(self._dtype.itemsize, "little"))

    def extend(self, values: np.ndarray) -> None:
        """Many numbers."""
        self._bytes += self._file.write(np.ascontiguousarray(values, dtype=self._dtype).data)

    def __enter__(self) -> "Column":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            self._file.seek(0)
            # as long as before: numpy leaves room for a first axis of 21 digits
            write_header(self._file, self._dtype.str, (self._bytes // self._dtype.itemsize,))
