"""The peak memory of all tensors of one width."""

import weakref
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Live(TorchDispatchMode):
    """Counts the bytes of all present storages of tensors whose last axis is `width` long."""

    def __init__(self, width: int, known: set[int]) -> None:
        super().__init__()
        self._width, self._known = width, set(known)
        self._now = self.peak = 0

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), keywords: Any = None) -> Any:
        result = function(*arguments, **(keywords or {}))
        for tensor in result if isinstance(result, tuple | list) else [result]:
            if isinstance(tensor, torch.Tensor) and tensor.dim() and tensor.shape[-1] == self._width:
                self._add(tensor.untyped_storage())
        return result

    def _add(self, storage: Any) -> None:
        place = storage.data_ptr()
        if place in self._known:
            return
        self._known.add(place)
        self._now += storage.nbytes()
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._remove, place, storage.nbytes())

    def _remove(self, place: int, size: int) -> None:
        self._known.discard(place)
        self._now -= size
