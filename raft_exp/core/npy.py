"""Writes arrays to disk piece by piece, as .npy files that numpy can read and memory-map."""

from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import numpy as np


def write_header(file: BinaryIO, dtype: str, shape: tuple[int, ...]) -> None:
    """Writes the header of a .npy file: `dtype` in numpy's notation ("<u8") and the shape of the array."""
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)  # type: ignore[no-untyped-call]


class Column:
    """Writes a one-dimensional .npy array of unknown length. Leaving the `with` block stores its length."""

    def __init__(self, path: Path, dtype: str) -> None:
        self._dtype, self._bytes = np.dtype(dtype), 0
        self._file = path.open("wb")
        write_header(self._file, dtype, (0,))

    def add(self, value: int) -> None:
        """Appends an integer."""
        self._bytes += self._file.write(value.to_bytes(self._dtype.itemsize, "little"))

    def extend(self, values: np.ndarray) -> None:
        """Appends an array."""
        self._bytes += self._file.write(np.ascontiguousarray(values, dtype=self._dtype).data)

    def __enter__(self) -> "Column":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._file:
            self._file.seek(0)
            # the header keeps its size: numpy pads it for a first axis of 21 digits
            write_header(self._file, self._dtype.str, (self._bytes // self._dtype.itemsize,))
