"""Access to the fields of a record in a user's file, with type checks and errors that name the place."""

from collections.abc import Mapping, Sequence
from typing import TypeVar, overload

from raft_exp.core.errors import DataError

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")

_NAMES: dict[type, str] = {str: "a text", int: "a whole number", float: "a number", list: "a list", dict: "an object"}


class Fields:
    """A record; `where` is its file and its place there, for errors. A field that is null counts as missing.

    `columns`: the names in the file, where corpus.columns may give a field another name.
    """

    def __init__(self, where: str, row: Mapping[str, object], columns: Sequence[str] = ()) -> None:
        self.where = where
        self._row, self._columns = row, columns

    @overload
    def get(self, name: str, kind: type[T], /) -> T | None: ...

    @overload
    def get(self, name: str, kind: type[T], other: type[U], /) -> T | U | None: ...

    @overload
    def get(self, name: str, kind: type[T], other: type[U], third: type[V], /) -> T | U | V | None: ...

    def get(self, name: str, *kinds: type) -> object:
        """The value of a field, None where it is missing. Raises DataError for a value of none of `kinds`."""
        value = self._row.get(name)
        if value is None or (isinstance(value, kinds) and not isinstance(value, bool)):
            return value
        wanted = " or ".join(_NAMES[kind] for kind in kinds)
        raise self.error(name, f"is {value!r:.60}", f"give {wanted}")

    def text(self, name: str) -> str | None:
        """A text, or a whole number (an id) as text; None where it is missing."""
        value = self.get(name, str, int)
        return None if value is None else str(value)

    def needed(self, name: str) -> str:
        """A text. Raises DataError where it is missing or empty."""
        value = self.text(name)
        if value is None or not value.strip():
            raise self.error(name, "is missing or empty", f"give it or remove the record{self.other_name(name)}")
        return value

    def other_name(self, name: str) -> str:
        """The end of a message on a missing field: the names that the file has, and how to give one of them."""
        if not self._columns or name in self._row:
            return ""
        there = ", ".join(map(repr, self._columns))
        return f", or say which of {there} it is: corpus.columns.{name}=NAME"

    def texts(self, name: str) -> list[str]:
        """A list of texts, [] where it is missing; a single text is a list of one."""
        value = self.get(name, list, str)
        values = [value] if isinstance(value, str) else value or []
        if not all(isinstance(item, str) for item in values):
            raise self.error(name, f"is {values!r:.60}", "give a list of texts")
        return list(values)

    def names(self, name: str) -> list[str]:
        """The different texts of a field that holds a text, a whole number or a list of these; [] where it is missing.

        Raises DataError for any other value.
        """
        value = self.get(name, list, str, int)
        values = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(item, str | int) and not isinstance(item, bool) for item in values):
            raise self.error(name, f"is {values!r:.60}", "give a text or a list of texts")
        return list(dict.fromkeys(map(str, values)))

    def chosen(self, name: str, allowed: tuple[str, ...]) -> str | None:
        """A text of `allowed`, None where it is missing. Raises DataError for any other."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise self.error(name, f"is {value!r}", f"give one of {', '.join(allowed)}")
        return value

    def flag(self, name: str) -> bool:
        """A boolean; false where it is missing."""
        value = self._row.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.error(name, f"is {value!r:.60}", "give true or false")
        return bool(value)

    def error(self, name: str, what: str, remedy: str) -> DataError:
        """A DataError with place, field, fault and remedy."""
        return DataError(f"{self.where}: field {name!r} {what}; {remedy}")
