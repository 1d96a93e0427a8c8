"""Every number that the documents claim, made again by `make bench`; README.md says how each is measured.

A benchmark is a module with `NAME` and `run(quick) -> report.Result`. `load` sends, `pipeline` is what is sent to.
"""
