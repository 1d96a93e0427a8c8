"""What can go wrong between Pitlane and a NiFi.

FlowError
├── BadSettings   the settings or the profile that say where NiFi is do not fit together
├── Unreachable   no NiFi answers there
├── LoginRefused  NiFi does not know the user, or takes no log-ins at all
├── Refused       NiFi does not do what it was asked; says why in its own words
├── NoVersion     the repository has no such version of the flow, or its file cannot be read
├── NotDeployed   NiFi runs, without this flow
├── NotVersioned  NiFi has the flow, and it is not under version control
├── Changed       the canvas has changes that are in no version, and would lose them
├── Behind        the canvas is based on an older version than the newest
├── InvalidFlow   NiFi has the flow and cannot run it; says which component lacks what
└── NotRunning    the flow was started and does not run, or does not accept blocks, in time
"""

from pitlane.errors import PitlaneError


class FlowError(PitlaneError):
    reason = "flow"


class BadSettings(FlowError):
    reason = "nifi_settings"


class Unreachable(FlowError):
    reason = "nifi_unreachable"


class LoginRefused(FlowError):
    reason = "nifi_login"


class Refused(FlowError):
    reason = "nifi_refused"


class NoVersion(FlowError):
    reason = "flow_version"


class NotDeployed(FlowError):
    reason = "flow_not_deployed"


class NotVersioned(FlowError):
    reason = "flow_not_versioned"


class Changed(FlowError):
    reason = "flow_changed"


class Behind(FlowError):
    reason = "flow_behind"


class InvalidFlow(FlowError):
    reason = "flow_invalid"


class NotRunning(FlowError):
    reason = "flow_not_running"
