"""How to reach a NiFi and log in to it: the only place that tells nipyapi where its NiFi is.

Settings name an address and what that NiFi asks for, if it asks for anything:

    PITLANE_NIFI_URL                                            https://…/nifi-api; http only without a log-in
    PITLANE_NIFI_CERTIFICATE                                    whom to trust, where it is not a public authority
    PITLANE_NIFI_CLIENT_CERTIFICATE, PITLANE_NIFI_CLIENT_KEY    a client certificate
    PITLANE_NIFI_TOKEN                                          a bearer token
    PITLANE_NIFI_USERNAME, PITLANE_NIFI_PASSWORD                a user, where no token is given

Or PITLANE_NIFI_PROFILE names a profile of nipyapi, and everything comes from there: `~/.nipyapi/profiles.yml` or the
file that NIPYAPI_PROFILES_FILE names, with OIDC and all else that nipyapi knows; its variables (NIFI_API_ENDPOINT …)
override the file, and the profile `env` is nothing but them.

nipyapi keeps this in one global place, so a process talks to one NiFi at a time.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import nipyapi
from nipyapi import profiles, security
from nipyapi.nifi import AccessApi, FlowApi
from nipyapi.nifi.rest import ApiException
from urllib3.exceptions import HTTPError, MaxRetryError
from yaml import YAMLError

from nifi.errors import BadSettings, LoginRefused, Refused, Unreachable
from pitlane import tls
from pitlane.settings import NifiSettings

REQUEST_S = 120
"""How long NiFi may work on one request, such as a change of version; nipyapi's own limit is three seconds."""

DENIED = (401, 403)
QUEUED = "has data in the queue"
"""NiFi's words for a connection that it cannot remove."""
LOGINS = "a client certificate, a token, a user, or another profile: docs/flow.md lists the settings"

# nipyapi prints each attempt of urllib3 that fails; here the last one becomes an error.
logging.getLogger("urllib3").setLevel(logging.ERROR)

# nipyapi's entities are generated classes without types.
Entity = Any


class Nifi(NamedTuple):
    version: str
    host: str
    """Where its flow listens as well."""


@contextmanager
def to(settings: NifiSettings) -> Iterator[Nifi]:
    """All calls of nipyapi in this block go to the NiFi of `settings`.

    Raises `Unreachable`, `LoginRefused` and `BadSettings` for the way there; what NiFi refuses later becomes `Refused`
    with NiFi's own words.
    """
    nifi = _connect(settings)
    try:
        yield nifi
    except HTTPError as error:
        raise Unreachable(f"NiFi does not answer any more: {_why(error)}") from error
    except ApiException as error:
        raise _refused(error) from error
    except ValueError as error:
        # nipyapi's own functions put NiFi's words into one; any other is none of NiFi's.
        if isinstance(error.__cause__, ApiException):
            raise _refused(error.__cause__) from error
        raise


@contextmanager
def asked(what: str) -> Iterator[None]:
    """For what NiFi does in the background: its failure, or no end of it in time, becomes `Refused`."""
    try:
        yield
    except ValueError as error:  # nipyapi's for both
        hint = "pitlane flow drain empties the queues; then once more" if QUEUED in str(error) else ""
        raise Refused(f"NiFi did not {what}: {error}", hint) from error


def _connect(settings: NifiSettings) -> Nifi:
    config = nipyapi.config.nifi_config
    _forget(config)
    nipyapi.config.short_max_wait = REQUEST_S
    where = f"profile {settings.nifi_profile}" if settings.nifi_profile else settings.nifi_url
    try:
        if settings.nifi_profile:
            _apply_profile(settings.nifi_profile)
        else:
            _apply(settings, config)
        version = FlowApi().get_about_info().about.version
    except ApiException as error:
        if error.status in DENIED:
            raise LoginRefused(f"{where} lets nobody in like this: HTTP {error.status}", LOGINS) from error
        what = f"HTTP {error.status}" if error.status else error.reason
        raise Unreachable(f"no NiFi answers at {where}: {what}", _hint(settings)) from error
    except (HTTPError, OSError) as error:
        raise Unreachable(f"no NiFi answers at {where}: {_why(error)}", _hint(settings)) from error
    return Nifi(version, urlsplit(config.host).hostname or "")


def _hint(settings: NifiSettings) -> str:
    if settings.nifi_profile:
        return "PITLANE_NIFI_PROFILE or --profile names another profile of nipyapi"
    return "pitlane up starts one, PITLANE_NIFI_URL names another"


def _forget(config: Entity) -> None:
    """Nothing of the NiFi before goes to the next one."""
    security.set_service_auth_token(token=None, service="nifi")
    config.host = None
    config.verify_ssl = True
    config.ssl_ca_cert = config.cert_file = config.key_file = config.key_password = None
    config.username = config.password = ""
    config.api_client = None  # made for the address before


def _apply_profile(name: str) -> None:
    try:
        profiles.switch(name)
    except ValueError as error:
        if isinstance(cause := error.__cause__, ApiException):
            raise LoginRefused(f"NiFi refuses the log-in of profile {name}: HTTP {cause.status}") from error
        raise BadSettings(f"profile {name}: {error}") from error
    except (AssertionError, OSError, YAMLError) as error:  # a log-in over http, and a file that cannot be read
        raise BadSettings(f"profile {name}: {error}") from error
    if nipyapi.config.nifi_config.host is None:
        raise BadSettings(f"profile {name} names no NiFi", "it lacks nifi_url")


def _apply(settings: NifiSettings, config: Entity) -> None:
    certificate, key = settings.nifi_client_certificate, settings.nifi_client_key
    token = settings.nifi_token.get_secret_value()
    if key and not certificate:
        raise BadSettings("PITLANE_NIFI_CLIENT_KEY needs PITLANE_NIFI_CLIENT_CERTIFICATE")
    config.host = settings.nifi_url.rstrip("/")
    config.ssl_ca_cert = _file("PITLANE_NIFI_CERTIFICATE", settings.nifi_certificate)
    config.cert_file = _file("PITLANE_NIFI_CLIENT_CERTIFICATE", certificate)
    config.key_file = _file("PITLANE_NIFI_CLIENT_KEY", key)
    if (token or settings.nifi_username or certificate) and urlsplit(settings.nifi_url).scheme != "https":
        raise LoginRefused(
            f"{settings.nifi_url} takes no log-in", "a log-in needs https, or unset PITLANE_NIFI_USERNAME"
        )
    if token:
        security.set_service_auth_token(token=token, service="nifi")
    elif settings.nifi_username:
        security.set_service_auth_token(token=_token(settings), service="nifi")


def _file(name: str, path: Path | None) -> str | None:
    if path is not None and not path.is_file():
        raise BadSettings(f"there is no file {path}", f"{name} names it")
    return str(path) if path else None


def _token(settings: NifiSettings) -> str:
    """What NiFi gives for user and password, to go with all later calls."""
    try:
        token: str = AccessApi().create_access_token(
            username=settings.nifi_username, password=settings.nifi_password.get_secret_value()
        )
    except ApiException as error:
        hint = "PITLANE_NIFI_USERNAME and PITLANE_NIFI_PASSWORD are what NiFi was started with"
        raise LoginRefused(f"NiFi refuses the log-in of {settings.nifi_username}: HTTP {error.status}", hint) from error
    return token


def _refused(error: ApiException) -> Refused:
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else str(error.body or "")
    return Refused(f"NiFi says: {body.strip() or error.reason} (HTTP {error.status})")


def _why(error: BaseException) -> str:
    """What is wrong with TLS, or the system's word for it."""
    if trouble := tls.told(error):
        return trouble
    if isinstance(error, MaxRetryError) and error.reason:
        error = error.reason
    while error.__cause__:
        error = error.__cause__
    return str(getattr(error, "strerror", None) or error)
