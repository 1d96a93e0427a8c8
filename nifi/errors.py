"""What can go wrong between Pitlane and a NiFi.

FlowError
├── Unreachable   no NiFi answers there
├── LoginRefused  NiFi does not know the user, or takes no log-ins at all
├── NotDeployed   NiFi runs, without this flow
├── InvalidFlow   NiFi has the flow and cannot run it; says which component lacks what
└── NotRunning    the flow was started and does not run, or does not accept blocks, in time
"""

from pitlane.errors import PitlaneError


class FlowError(PitlaneError):
    reason = "flow"


class Unreachable(FlowError):
    reason = "nifi_unreachable"


class LoginRefused(FlowError):
    reason = "nifi_login"


class NotDeployed(FlowError):
    reason = "flow_not_deployed"


class InvalidFlow(FlowError):
    reason = "flow_invalid"


class NotRunning(FlowError):
    reason = "flow_not_running"
