"""NiFi's `application/flowfile-v3`: several FlowFiles, each with attributes, in one POST body.

Source: `FlowFilePackagerV3` of nifi-flowfile-packager. Every integer is big-endian. One FlowFile is

    b"NiFiFF3"
    u16 number of attributes
        for each attribute: u16 length, UTF-8 key, u16 length, UTF-8 value
        (a length of 65535 or more is written as u16 0xFFFF followed by a u32)
    u64 length of the content
    content

and FlowFiles stand back to back.
"""

import struct
from collections.abc import Iterable, Mapping

CONTENT_TYPE = "application/flowfile-v3"
MAGIC = b"NiFiFF3"
_LONG = 0xFFFF


def pack(flowfiles: Iterable[tuple[Mapping[str, str], bytes]]) -> bytes:
    """One POST body of (attributes, content) pairs, in the order given."""
    parts: list[bytes] = []
    for attributes, content in flowfiles:
        parts.append(MAGIC)
        parts.append(_length(len(attributes)))
        for key, value in attributes.items():
            for text in (key.encode(), value.encode()):
                parts.append(_length(len(text)))
                parts.append(text)
        parts.append(struct.pack(">Q", len(content)))
        parts.append(content)
    return b"".join(parts)


def _length(length: int) -> bytes:
    return struct.pack(">H", length) if length < _LONG else struct.pack(">HI", _LONG, length)
