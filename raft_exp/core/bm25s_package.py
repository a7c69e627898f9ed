"""The package bm25s, imported without JAX."""

import importlib
import sys
from types import ModuleType

_ABSENT = object()


def load() -> ModuleType:
    """Imports bm25s and returns it.

    Where JAX is installed, bm25s would start it, and on a GPU JAX takes three quarters of the memory for itself. So the
    import finds no JAX. raft_exp uses only functions of bm25s that need none.
    """
    if loaded := sys.modules.get("bm25s"):
        return loaded
    before = sys.modules.get("jax", _ABSENT)
    sys.modules["jax"] = None  # type: ignore[assignment] # Python's own mark of a module that cannot be imported
    try:
        return importlib.import_module("bm25s")
    finally:
        if before is _ABSENT:
            del sys.modules["jax"]
        else:
            sys.modules["jax"] = before  # type: ignore[assignment]
