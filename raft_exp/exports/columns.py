"""Types for the columns and the rows of an exported table."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

# "string", "int" or "bool"; [type] is a list of this type; {name: type} is a record with these fields.
ColumnType: TypeAlias = "Literal['string', 'int', 'bool'] | list[ColumnType] | dict[str, ColumnType]"
Columns: TypeAlias = "dict[str, ColumnType]"

Row = Mapping[str, object]
