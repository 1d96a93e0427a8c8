"""Who may talk to the gateway's HTTP port. Pure.

A page on the internet can make a browser send requests to 127.0.0.1, directly (the Origin header then names the
page) or by pointing its own domain at it (DNS rebinding: the Host header then names that domain). So a Host
must be an address, localhost or a name that settings allow, and an Origin, which only browsers send, must be
the gateway's own or one that settings allow. Where settings have a token, a request must carry it.
"""

import hmac
import ipaddress
from collections.abc import Collection
from urllib.parse import parse_qs, urlsplit


def host_allowed(host: str, allowed: Collection[str] = ()) -> bool:
    """`host` as the Host header gives it, with or without a port."""
    name = _hostname(f"//{host}")
    if name == "localhost" or name in allowed:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def origin_allowed(origin: str | None, host: str, allowed: Collection[str] = ()) -> bool:
    """`origin` as the Origin header gives it, None if there is none; `allowed` as `https://grafana.example`."""
    if origin is None or origin in allowed:
        return True
    try:
        return urlsplit(origin).netloc.lower() == host.lower() != ""
    except ValueError:
        return False


def token_given(token: str, query: str, authorization: str | None) -> bool:
    """Whether the query has `token=…` or the Authorization header `Bearer …` with the right token."""
    given = parse_qs(query).get("token", [])
    scheme, _, credentials = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        given.append(credentials.strip())
    return any(hmac.compare_digest(_raw(one), _raw(token)) for one in given)


def _raw(text: str) -> bytes:
    return text.encode(errors="surrogateescape")  # what was no ASCII in a header stands as surrogates


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
