"""The root of Pitlane's errors.

PitlaneError
├── pitlane.stack …      a server could not be installed or started
├── nifi …               a flow could not be deployed
├── f1_packets.Rejected  bytes that are no packet (a ValueError: f1_packets knows nothing of Pitlane)
└── …                    each part draws its own branch in the module that defines it
"""


class PitlaneError(Exception):
    """What a person can act on. `reason` is the slug used in logs and metrics, `hint` says what to do next."""

    reason = "pitlane"
    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
