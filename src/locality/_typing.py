"""Array types shared by all rooms.

The aliases fix the dtype only; shapes are written in each docstring with the axis names
``rows``, ``columns``, ``nodes``, ``slots``, ``samples``.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["BoolArray", "Float32Array", "FloatArray", "IntArray"]

FloatArray: TypeAlias = NDArray[np.float64]
Float32Array: TypeAlias = NDArray[np.float32]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]
