"""What can go wrong before and while the servers run.

StackError
├── Missing       a program, a JDK, disk space: the machine lacks something that a person can get
├── PortTaken     somebody else listens where one of ours should
├── InstallFailed a download or build ended badly; names its log
├── StartFailed   a server ended or stayed unhealthy; carries the tail of its log
└── Locked        another command is changing the same folder
"""

from pitlane.errors import PitlaneError


class StackError(PitlaneError):
    reason = "stack"


class Missing(StackError):
    reason = "missing"


class PortTaken(StackError):
    reason = "port_taken"


class InstallFailed(StackError):
    reason = "install_failed"


class StartFailed(StackError):
    reason = "start_failed"


class Locked(StackError):
    reason = "locked"
