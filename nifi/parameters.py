"""The flow's parameters: what differs from place to place, and takes its values from settings."""

from nipyapi import parameters
from nipyapi.nifi import ParameterContextsApi
from pydantic import SecretStr

from nifi import connection
from nifi.connection import Entity
from pitlane.settings import NifiSettings


def parameter_values(settings: NifiSettings) -> dict[str, str]:
    """Parameter → value."""
    return {
        "kafka.bootstrap": settings.kafka_bootstrap,
        "topic.prefix": settings.topic_prefix,
        "listen.port": str(settings.nifi_listen_port),
        "listen.path": settings.nifi_listen_path,
        "tls.keystore": settings.nifi_keystore,
        "tls.truststore": settings.nifi_truststore,
        "tls.sender": settings.nifi_sender,
    }


def sensitive_values(settings: NifiSettings) -> dict[str, SecretStr]:
    """The same for what must stand in no file: parameter → value."""
    return {
        "tls.keystore.password": settings.nifi_keystore_password,
        "tls.truststore.password": settings.nifi_truststore_password,
    }


def context(group: Entity) -> Entity | None:
    """The group's parameter context, None where it has none."""
    bound = group.component.parameter_context
    return ParameterContextsApi().get_parameter_context(bound.id) if bound else None


def apply(group: Entity, settings: NifiSettings) -> list[str]:
    """Gives the group's parameters the values of `settings`; returns the names of those that changed.

    Parameters that the group's version does not have are left out, and those that a person added stay as they are.
    NiFi restarts what refers to one that changes. It never tells a sensitive value, so those are always sent; NiFi
    itself leaves alone what has the same value already.
    """
    found = context(group)
    if found is None:
        return []
    have = {entity.parameter.name: entity.parameter for entity in found.component.parameters}
    wanted = {name: value for name, value in parameter_values(settings).items() if name in have}
    changed = [name for name, value in wanted.items() if have[name].value != value]
    secrets = {name: value.get_secret_value() for name, value in sensitive_values(settings).items() if name in have}
    sent = [(name, wanted[name], False) for name in changed]
    sent += [(name, value, True) for name, value in secrets.items() if value]
    if sent:
        found.component.parameters = [
            parameters.prepare_parameter(name, value, have[name].description, sensitive)
            for name, value, sensitive in sent
        ]
        with connection.asked("take the parameters"):
            parameters.update_parameter_context(found)
    return changed
