"""The types of weights that models are loaded, trained and stored in."""

from typing import Literal

Dtype = Literal["float32", "bfloat16", "float16"]
