"""The `pitlane` command and what it runs: the stack, the simulator, captures and replays."""
