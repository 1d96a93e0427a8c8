"""Posts blocks by hand to where the flow takes them, as the gateway does: for what has to go in once, and now."""

import ssl
from collections.abc import Iterable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from nifi.errors import NotTaken
from pitlane import tls
from udp_gateway import flowfile
from udp_gateway.post import MEANING

TIMEOUT_S = 30

FlowFile = tuple[Mapping[str, str], bytes]
"""(attributes, content)"""


def post(url: str, flowfiles: Iterable[FlowFile], context: ssl.SSLContext) -> None:
    """Posts them at once and returns when NiFi has them all; `context` is for an https URL. Raises NotTaken."""
    where = urlsplit(url)
    host, port = where.hostname or "", where.port
    if where.scheme == "https":
        client: HTTPConnection = HTTPSConnection(host, port, timeout=TIMEOUT_S, context=context)
    else:
        client = HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        client.request("POST", where.path, flowfile.pack(flowfiles), {"Content-Type": flowfile.CONTENT_TYPE})
        status = client.getresponse().status
    except (OSError, HTTPException) as error:
        why = tls.told(error) or error
        raise NotTaken(f"NiFi does not answer at {url}: {why}", "pitlane flow status") from error
    finally:
        client.close()
    if status != 200:
        why = MEANING.get(status, "it does not say why")
        raise NotTaken(f"NiFi takes no block: HTTP {status}: {why}", "pitlane flow status")
