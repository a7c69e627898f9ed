"""One record of a user's file, field by field: types are checked, and an error says where the record stands."""

from typing import Any

from raft_exp.core.errors import DataError

_NAMES = {str: "a text", int: "a whole number", float: "a number", list: "a list", dict: "an object"}


class Fields:
    """`where` is the file and the place in it. null counts as a field that is not there; other fields are not read."""

    def __init__(self, where: str, row: dict[str, Any]) -> None:
        self.where = where
        self._row = row

    def get(self, name: str, *kinds: type) -> Any:
        """The value if it is of one of `kinds`, None where there is none."""
        value = self._row.get(name)
        if value is None or (isinstance(value, kinds) and not isinstance(value, bool)):
            return value
        wanted = " or ".join(_NAMES[kind] for kind in kinds)
        raise self.error(name, f"is {value!r:.60}", f"give {wanted}")

    def text(self, name: str) -> str | None:
        """A text; a whole number (an id) is taken as text."""
        value = self.get(name, str, int)
        return None if value is None else str(value)

    def needed(self, name: str) -> str:
        """A text that is not empty."""
        value = self.text(name)
        if value is None or not value.strip():
            raise self.error(name, "is missing or empty", "give it or remove the record")
        return value

    def texts(self, name: str) -> list[str]:
        """A list of texts; one text alone is a list of one."""
        value = self.get(name, list, str)
        values = [value] if isinstance(value, str) else value or []
        if not all(isinstance(one, str) for one in values):
            raise self.error(name, f"is {values!r:.60}", "give a list of texts")
        return list(values)

    def chosen(self, name: str, allowed: tuple[str, ...]) -> str | None:
        """A text that is one of `allowed`, or None."""
        value = self.text(name)
        if value is not None and value not in allowed:
            raise self.error(name, f"is {value!r}", f"give one of {', '.join(allowed)}")
        return value

    def flag(self, name: str) -> bool:
        """true or false; a field that is not there is false."""
        value = self._row.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.error(name, f"is {value!r:.60}", "give true or false")
        return bool(value)

    def error(self, name: str, what: str, remedy: str) -> DataError:
        """What is wrong with a field, where, and what to do."""
        return DataError(f"{self.where}: field {name!r} {what}; {remedy}")
