"""Access to the fields of a record in a user's file, with type checks and errors that name the place."""

from collections.abc import Mapping, Sequence
from typing import TypeVar, overload

from raft_exp.core.errors import DataError

T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")

_NAMES: dict[type, str] = {str: "a text", int: "a whole number", float: "a number", list: "a list", dict: "an object"}


def column_setting(field: str) -> str:
    """Returns the setting that names the column of a question's field, for messages. It is quoted for a shell."""
    return f"'+corpus.columns.{field}=NAME'"


class Fields:
    """A record. `where`: the file and the place of the record, for errors. A null field counts as missing.

    `columns`: the column names of the file, which messages about a missing field show.
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
        """Returns the value of a field; None if it is missing. Raises DataError if its type is none of `kinds`."""
        value = self._row.get(name)
        if value is None or (isinstance(value, kinds) and not isinstance(value, bool)):
            return value
        wanted = " or ".join(_NAMES[kind] for kind in kinds)
        raise self.error(name, f"is {value!r:.60}", f"give {wanted}")

    def text(self, name: str) -> str | None:
        """Returns a text; an integer (an id) becomes text. Returns None if the field is missing.

        Raises DataError for a value of another type.
        """
        value = self.get(name, str, int)
        return None if value is None else str(value)

    def needed(self, name: str) -> str:
        """Returns the value of `text`. Raises DataError if it is missing, empty or white space."""
        value = self.text(name)
        if value is None or not value.strip():
            raise self.error(name, "is missing or empty", f"give it or remove the record{self.other_name(name)}")
        return value

    def other_name(self, name: str) -> str:
        """Returns the end of a message about a missing field: the setting that names its column, and all column names.

        Returns "" if the record has the field or the column names are unknown.
        """
        if not self._columns or name in self._row:
            return ""
        there = ", ".join(map(repr, self._columns))
        return f", or name its column: {column_setting(name)} (the file has {there})"

    def has_column(self, name: str) -> bool:
        """Whether `columns` has this name."""
        return name in self._columns

    def texts(self, name: str) -> list[str]:
        """Returns a list of texts; [] if the field is missing. A single text becomes a list of one.

        Raises DataError for any other value.
        """
        value = self.get(name, list, str)
        values = [value] if isinstance(value, str) else value or []
        if not all(isinstance(item, str) for item in values):
            raise self.error(name, f"is {values!r:.60}", "give a list of texts")
        return list(values)

    def names(self, name: str) -> list[str]:
        """Returns the distinct texts of a field that has a text, an integer or a list of these; [] if missing.

        Raises DataError for any other value.
        """
        value = self.get(name, list, str, int)
        values = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(item, str | int) and not isinstance(item, bool) for item in values):
            raise self.error(name, f"is {values!r:.60}", "give a text or a list of texts")
        return list(dict.fromkeys(map(str, values)))

    def chosen(self, name: str, allowed: tuple[str, ...]) -> str | None:
        """Returns a text of `allowed`; None if the field is missing. Raises DataError for any other value."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise self.error(name, f"is {value!r}", f"give one of {', '.join(allowed)}")
        return value

    def flag(self, name: str) -> bool:
        """Returns a boolean; False if the field is missing. Raises DataError for any other value."""
        value = self._row.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.error(name, f"is {value!r:.60}", "give true or false")
        return bool(value)

    def truth(self, *names: str) -> bool | None:
        """Returns the first of these fields that the record has, as a boolean. A text is true unless it is empty.

        Returns None if the record has none of these fields. Raises DataError for a value of another type.
        """
        for name in names:
            value = self._row.get(name)
            if value is not None:
                return bool(value) if isinstance(value, str) else self.flag(name)
        return None

    def error(self, name: str, what: str, remedy: str) -> DataError:
        """Returns a DataError with place, field, fault (`what`) and remedy."""
        return DataError(f"{self.where}: field {name!r} {what}; {remedy}")
