"""The package bm25s, imported without JAX."""

import importlib
import sys
from types import ModuleType

_ABSENT = object()


def load() -> ModuleType:
    """Imports bm25s and returns it.

    bm25s imports JAX if it is installed, and JAX reserves three quarters of a GPU's memory. So this function hides JAX
    during the import. raft_exp uses only functions of bm25s that need no JAX.
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
