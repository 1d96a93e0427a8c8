"""What a packet does not say: how the game says "none", and what older formats lack, as masked arrays (NULL)."""

import numpy as np


def none_if_zero(values: np.ndarray) -> np.ma.MaskedArray:
    return np.ma.MaskedArray(values, values == 0)


def none_if_greatest(values: np.ndarray) -> np.ma.MaskedArray:
    """The greatest number that fits means "none": 255, and 65535 where ids have two bytes since 2026."""
    return np.ma.MaskedArray(values, values == np.iinfo(values.dtype).max)


def optional(structs: np.ndarray, name: str) -> np.ma.MaskedArray:
    """A field of structs that not every format has; masked as a whole where it is not there."""
    if name in (structs.dtype.names or ()):
        return np.ma.MaskedArray(structs[name])
    return np.ma.masked_all(structs.shape, "u1")
