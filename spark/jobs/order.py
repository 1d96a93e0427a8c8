"""Which of many rows of one key stands."""

from collections.abc import Sequence

import numpy as np


def newest(key: Sequence[np.ndarray], order: Sequence[np.ndarray]) -> np.ndarray:
    """Indices of the rows whose `order` is the greatest of their `key`, sorted by key.

    Both are columns, most significant first, of equal length. Rows that tie are all returned: which of them stands
    is decided in one place only, the sink.
    """
    if not len(key[0]):
        return np.empty(0, "i8")
    at = np.lexsort((*order[::-1], *key[::-1]))
    new_key = np.zeros(len(at) - 1, bool)
    for column in key:
        new_key |= column[at][1:] != column[at][:-1]
    group = np.concatenate(([0], np.cumsum(new_key)))
    last = np.append(np.flatnonzero(new_key), len(at) - 1)
    stands = np.ones(len(at), bool)
    for column in order:
        stands &= column[at] == column[at][last][group]
    return at[stands]
