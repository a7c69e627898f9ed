"""Errors that the user can fix.

For such an error, a command prints one line without a traceback and exits with the `status` of the error.
"""

import difflib
from collections.abc import Iterable, Sequence

from raft_exp.core.printable import printable


class RaftError(Exception):
    """Base class. The message is one line: the field or file, its value, the remedy. It has no control characters."""

    status = 2  # exit status of the process

    def __init__(self, message: object = "") -> None:
        super().__init__(printable(str(message)))


class ConfigError(RaftError):
    """An invalid setting. The message names the field, the value and the allowed values."""


class DataError(RaftError):
    """An unusable file, record or document. The message names the file, the record and the remedy.

    `remedies`: several ways out, which are appended to the message after a semicolon.
    """

    def __init__(self, message: object = "", remedies: Sequence[str] = ()) -> None:
        super().__init__(f"{message}; {', '.join(remedies)}" if remedies else message)
        self._message, self.remedies = message, remedies

    def with_remedies(self, remedies: Sequence[str]) -> "DataError":
        """Returns a new error with the same message; `remedies` come before the remedies of this error."""
        return DataError(self._message, [*remedies, *self.remedies])


class StoreError(RaftError):
    """The store cannot be read or written: missing rights, full disk, damaged file."""


class ModelError(RaftError):
    """A model or tokenizer that cannot be loaded, run or trained."""


class ServerError(RaftError):
    """A server gave no usable reply. Earlier replies stay in the teacher's ledger or the evaluation's answers file."""


class SweepError(RaftError):
    """A sweep or search cannot continue, or some of its jobs failed."""


class StoppedError(RaftError):
    """A signal ended a stage after the stage saved its state. The same command resumes the stage.

    The signal also ends a sweep, which the same command resumes too.
    """

    status = 75  # EX_TEMPFAIL: a scheduler's script may start the command again


class BudgetError(RaftError):
    """The teacher's budget is used up. The replies so far stay in the ledger."""


def suggest(name: object, known: Iterable[object]) -> str:
    """Formats the end of an error message about an unknown name: the closest known name, then all known names."""
    names = sorted({str(known_name) for known_name in known})
    closest = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    listing = "known: " + ", ".join(names)
    return f"did you mean {closest[0]!r}? ({listing})" if closest else listing
