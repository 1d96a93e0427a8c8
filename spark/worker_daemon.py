"""Starts Spark's Python workers without archives on their path.

Spark puts its own zips and jars in front, and every task makes Python read their directories anew: that cost eight
times what our decoding does. The installed pyspark is the same one.
"""

import importlib.util
import sys


def without_archives() -> list[str]:
    """`sys.path` without archives, if pyspark can be imported from what is left; else as it is."""
    folders = [entry for entry in sys.path if not entry.endswith((".zip", ".jar"))]
    before = sys.path[:]
    sys.path[:] = folders
    found = importlib.util.find_spec("pyspark")
    sys.path[:] = before
    return folders if found else before


if __name__ == "__main__":
    sys.path[:] = without_archives()
    from pyspark.daemon import manager

    manager()
