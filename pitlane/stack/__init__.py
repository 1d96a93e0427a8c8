"""The servers behind Pitlane as plain child processes: found, installed, started, watched and stopped without Docker.

`jdks`, `maven` and `tools` need nothing beyond the standard library, because the bootstrap runs them
before there is a virtual environment.
"""
