"""Writes arrays to disk piece by piece, as .npy files that numpy can read and memory-map, and reads rows of them."""

import os
import weakref
from itertools import pairwise
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
        """Appends an integer of 0 or more."""
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
            # The new header has the size of the first one: numpy reserves room for a first axis of 21 digits.
            write_header(self._file, self._dtype.str, (self._bytes // self._dtype.itemsize,))


class ReadFile:
    """A file that is read at any position, also by several threads.

    The pages of a memory map count as memory of the process that reads them. Reads of this class do not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._descriptor)
        self.size = os.fstat(self._descriptor).st_size

    def read(self, start: int, stop: int) -> bytes:
        """Returns the bytes from `start` up to, not including, `stop`; fewer at the end of the file."""
        return os.pread(self._descriptor, stop - start, start)

    def fill(self, array: np.ndarray, start: int) -> None:
        """Fills a contiguous array with the bytes from `start` on. Raises EOFError if the file ends before."""
        left = array.reshape(-1).view(np.uint8).data
        while left:
            count = os.preadv(self._descriptor, [left], start)
            if not count:
                raise EOFError(f"{self.path}: the file is shorter than its header says; remove its folder")
            left, start = left[count:], start + count


class Rows:
    """Reads items of the first axis of a .npy file, e.g. the rows of a matrix. Nothing is cached or memory-mapped."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self.shape, in_columns, self.dtype = _header(file)
            self._start = file.tell()
        assert not in_columns, f"{path} is stored by columns"
        self._file = ReadFile(path)
        self._bytes = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize  # of an item

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, items: slice | np.ndarray) -> np.ndarray:
        """Returns the items of a slice, or of an array of indices (no negative ones), as a new array.

        Raises IndexError for an index out of range, and EOFError if the file is shorter than its header says.
        """
        if isinstance(items, slice) and items.step in (None, 1):
            start, stop, _ = items.indices(len(self))
            found = self._empty(max(0, stop - start))
            self._file.fill(found, self._start + start * self._bytes)
            return found
        numbers = np.arange(len(self))[items] if isinstance(items, slice) else items
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(self):
            raise IndexError(f"{self._file.path}: has {len(self)} items; got {numbers.min()} to {numbers.max()}")
        found = self._empty(len(numbers))
        borders = [0, *(np.flatnonzero(np.diff(numbers) != 1) + 1).tolist(), len(numbers)]
        for start, stop in pairwise(borders):  # runs of neighbouring items
            if stop > start:
                self._file.fill(found[start:stop], self._start + int(numbers[start]) * self._bytes)
        return found

    def _empty(self, count: int) -> np.ndarray:
        return np.empty((count, *self.shape[1:]), dtype=self.dtype)


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Returns the shape, whether the array is stored by columns, and the dtype. Then `file` is at the first item."""
    version = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    header: tuple[tuple[int, ...], bool, np.dtype] = read(file)  # type: ignore[no-untyped-call]
    return header
