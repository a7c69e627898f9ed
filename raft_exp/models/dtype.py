"""The data types in which weights are loaded, trained and stored."""

from typing import Literal

Dtype = Literal["float32", "bfloat16", "float16"]
