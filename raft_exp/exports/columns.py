"""The columns of an exported table, and its rows."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

# "string", "bool", [type] for a list, {name: type} for a record
ColumnType: TypeAlias = "Literal['string', 'bool'] | list[ColumnType] | dict[str, ColumnType]"
Columns: TypeAlias = "dict[str, ColumnType]"

Row = Mapping[str, object]
