"""Errors that are meant for the person at the keyboard: one line, no traceback, exit status 2."""

import difflib
from collections.abc import Iterable


class RaftError(Exception):
    """Anything the user can mend. The message is one line: what, which value, what to do."""

    status = 2  # of the process that ends with it


class ConfigError(RaftError):
    """A setting that cannot be: names the field, the value and what is allowed."""


class DataError(RaftError):
    """A file, record or document that cannot be used: names the file, the record and the remedy."""


class StoreError(RaftError):
    """The store cannot be read or written (missing rights, full disk, held by another job)."""


class ModelError(RaftError):
    """A model or tokenizer that cannot be loaded, run or trained."""


class ServerError(RaftError):
    """A server that gives no usable reply. What it gave before is kept."""


class SweepError(RaftError):
    """A sweep or search that cannot go on, or some of whose jobs failed."""


class StoppedError(RaftError):
    """Ended by a signal, with its state saved: the same command goes on. Ends a sweep too."""

    status = 75  # EX_TEMPFAIL: what a scheduler's script may start again


class BudgetError(RaftError):
    """What a teacher may spend is spent. What it wrote is kept."""


def suggest(name: object, known: Iterable[object]) -> str:
    """The end of a message on an unknown name: the nearest of the known ones, and all of them."""
    names = sorted({str(one) for one in known})
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    everything = "known: " + ", ".join(names)
    return f"did you mean {near[0]!r}? ({everything})" if near else everything
