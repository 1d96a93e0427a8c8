"""Lets the operator of a NiFi that was just started over https use its canvas.

NiFi's initial admin may add users and policies, and that is all: the outermost group, which policies for the canvas
belong to, is made at the first start, after the admin was.
"""

from nipyapi import canvas, security
from nipyapi.nifi import FlowApi

from nifi import connection
from pitlane.settings import NifiSettings


def grant(settings: NifiSettings) -> None:
    """Gives whom `settings` log in as everything on the canvas, in its queues and in its history; again, nothing."""
    with connection.to(settings):
        security.bootstrap_security_policies("nifi")
        user = security.get_service_user(FlowApi().get_current_user().identity)
        root = canvas.get_root_pg_id()
        for action, resource, within in (
            ("read", "provenance-data/process-groups", root),
            ("read", "provenance", None),
            ("read", "counters", None),
            ("write", "counters", None),
        ):
            policy = security.get_access_policy_for_resource(resource, action, r_id=within, auto_create=True)
            security.add_user_to_access_policy(user, policy, strict=False)
