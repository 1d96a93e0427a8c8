"""What clients rely on, written from the code: the message's JSON Schema and docs/gateway.md.

python -m udp_gateway.reference
"""

import json
from pathlib import Path
from typing import Any

from f1_packets import PACKET_NAMES
from pitlane.settings import REPOSITORY
from udp_gateway.feed import CARS, SLOWEST_HZ
from udp_gateway.health import FULL
from udp_gateway.ledger import DROPPED, SKIPPED
from udp_gateway.live import STALE_S
from udp_gateway.message import FIELDS, LiveField
from udp_gateway.web import PING_INTERVAL_S, PING_TIMEOUT_S

SCHEMA_FILE = Path(__file__).with_name("live.schema.json")
DOCUMENT = REPOSITORY / "docs" / "gateway.md"

ALWAYS_KNOWN = frozenset({"ts", "rig", "packet_format", "frame", "car_index"})
"""Fields that are never null."""

TEXT = """\
<!-- generated: python -m udp_gateway.reference -->
# The gateway: what it serves

One port (20780) serves HTTP and WebSocket.

| path | what |
|---|---|
| `/` | the live page for the driver; `/?rig=NAME` for one rig, `&car=INDEX` or `&car=second` for another car |
| `/live/car` | WebSocket: the followed car of the current rig |
| `/live/second` | WebSocket: the second player's car, on a split screen of the current rig |
| `/live/car/INDEX` | WebSocket: any car of the current rig, 0 to {last_car} as the game numbers them |
| `/live/rig/NAME`, `/live/rig/NAME/second`, `/live/rig/NAME/car/INDEX` | WebSocket: the same of one rig |
| `/live/all` | WebSocket: the followed car of every rig, each message names its `rig` |
| `/raw` | WebSocket: every datagram as received, in binary messages (`udp_gateway/raw.py` says how); `/raw?rig=NAME` of one rig |
| `/status` | every count and state, as JSON |
| `/healthz` | 200 while the gateway listens; as JSON whether something needs a hand (below) |
| `/metrics` | the numbers of `/status` for [Prometheus](metrics.md) |

The Host header must be an address, `localhost`, or listed in `PITLANE_HTTP_HOSTS`; a web page from elsewhere may open the
stream if `PITLANE_HTTP_ORIGINS` lists it.

With `PITLANE_LIVE_TOKEN` set, all but `/`, its files and `/healthz` needs that token, as `?token=…` or as the header
`Authorization: Bearer …`; else it answers 401. `/?token=…` hands it on to what the page asks for. A token in an address
is seen by whoever sees the address, and HTTP hides nothing: for other networks than your own put TLS in front.

## Live messages

Each WebSocket text frame is one flat JSON object, and nothing else is in the stream ([JSON Schema](../udp_gateway/live.schema.json)).
A message is sent for each frame of the game, as soon as its car telemetry arrives, at most 60 a second
(`PITLANE_LIVE_RATE_HZ`; `?hz=10` asks for fewer, from {slowest:g}); `/live/all` counts that for each rig by itself. A feed
at just that rate is neither delayed nor thinned. A viewer too slow for it gets fewer, always the newest of each rig, and
slows nobody. An idle viewer is never closed; one that leaves pings unanswered for {ping:g} s is. More viewers than
`PITLANE_LIVE_VIEWERS` get 503.

The followed car is the player's, or the spectated one while spectating. The current rig is the one that came alive last,
until it is silent for {stale} s. There are no messages while there is no such car: nobody is followed, there is no second
player (the game says 255), or INDEX is beyond the cars of that format. An INDEX above {last_car} is refused with 400. A
slot without a driver has `position` 0.

Every message has every field; what is not known (yet, or in this format) is null.

{fields}

## `/healthz`

The answer is 200 whenever the gateway listens: what is wrong around it no restart of it mends.

| field | what |
|---|---|
| `status` | `ok`, or `degraded`: NiFi or Postgres is down, or a spool is more than {full} full |
| `why` | what is degraded, in words |
| `feed` | `live` while any rig sends, `stale` when none has for {stale} s: a game in its menus sends little or nothing |
| `rigs` | how many are `live` and `stale` |
| `spool` | for `nifi` and `postgres`: `bytes` that wait, and the age of the oldest, `oldest_s` |
| `nifi`, `postgres` | `unknown` until there was something to hand over, then `up` or `down` |

## Who may send, and who else gets it

`PITLANE_ALLOWED_SOURCES` lists addresses and networks; what it does not understand stops the gateway at its start, and `[]` is
nobody. `PITLANE_SOURCE_RATE` holds each source to so many datagrams a second, with bursts of 0.2 s. On Linux a source that goes
on sending gets a receive buffer of its own, so a flood fills only that. What is shut out is counted under `dropped`.

`PITLANE_RELAY` sends on every datagram of those who may send, as received and from the gateway's own address, and never waits
for a target. `PITLANE_GRAFANA_URL` pushes the live numbers to Grafana Live ([how](../grafana/README.md)).

## More than one process

One process took 35,000 packets a second and more beside NiFi on two cores (`benchmarks/flood.py`), which is 85 rigs at
60 Hz. Several can share the UDP port: all need `PITLANE_UDP_REUSE_PORT=true`, each a `PITLANE_HTTP_PORT` and a `PITLANE_SPOOL` of its
own, and the rest they read from the stack's settings:

    make down && PITLANE_UDP_REUSE_PORT=true make up
    PITLANE_HTTP_PORT=20790 PITLANE_SPOOL=.pitlane/stack/gateway-2 .pitlane/venv/bin/python -m udp_gateway

The kernel gives each source (address and port) to one of them; a game that starts again may come to another. A rig is live at
the gateway that has it. Each has counts and a ledger of its own: let Prometheus scrape each. `pitlane status`, `doctor` and
`reconcile` know the one that `make up` starts.

## `/status`

At any moment, for datagrams:

    received = stored + skipped + forwarded + waiting + rejected + dropped
    rejected = dead_letter.forwarded + dead_letter.waiting + dead_letter.dropped

| field | what |
|---|---|
| `received` | datagrams from the socket |
| `stored` | session packets whose row is in Postgres, or a newer one that stands for it |
| `skipped` | session packets without a session, by reason: {skipped} |
| `forwarded` | packets that NiFi took |
| `waiting` | packets gathered or in the spool, for NiFi or for Postgres |
| `rejected` | datagrams that are no packets, by reason: `too_short`, `unknown_format`, `unknown_packet`, `wrong_size` |
| `dropped` | packets given up, by reason: {dropped} |
| `dead_letter` | where the rejected are: NiFi took them, they wait, or they were given up |
| `packets` | received packets by format and name |
| `rigs` | for each rig: datagrams a second, last seen, format, session, `frames` (that came) and `frame_gaps` (overall frames that never came; a jump of more than 600 is a pause), `viewers` |
| `kernel` | `drops`: datagrams lost in a full receive buffer (null where the system does not say), `buffer_bytes` and what was asked for |
| `spool` | what waits on disk for `nifi` and `postgres`: bytes, datagrams, age of the oldest, `limit_bytes` |
| `ledger` | id of the spool and of these counts, which outlive restarts; block ids begin with it |
| `viewers` | open live WebSockets |
| `relay` | for each target of `PITLANE_RELAY`: datagrams `sent`, and `failed` (refused by the kernel or the target) |
| `nifi`, `postgres`, `grafana` | `grafana` is null without `PITLANE_GRAFANA_URL`; else `state` (unknown, up, down), `since`, `last_error` ([what it says of TLS](security.md#from-the-gateway-to-nifi)), `failures` |
"""


def schema() -> dict[str, Any]:
    """JSON Schema of the live message."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Pitlane live message",
        "description": "One WebSocket text frame of the paths under /live/. Fields unknown so far are null.",
        "type": "object",
        "properties": {
            field.name: {
                "type": field.type if field.name in ALWAYS_KNOWN else [field.type, "null"],
                "description": f"{field.description} [{field.unit}]" if field.unit else field.description,
            }
            for field in FIELDS
        },
        "required": [field.name for field in FIELDS],
        "additionalProperties": False,
    }


def document() -> str:
    """docs/gateway.md."""
    rows = "\n".join(
        f"| `{field.name}` | {field.type} | {field.unit} | {field.description} | {_source(field)} |" for field in FIELDS
    )
    table = f"| field | type | unit | what | from |\n|---|---|---|---|---|\n{rows}"
    reasons = {
        name: ", ".join(f"`{reason}` ({why})" for reason, why in known.items())
        for name, known in (("dropped", DROPPED), ("skipped", SKIPPED))
    }
    return TEXT.format(
        stale=f"{STALE_S:g}",
        full=f"{FULL:.0%}",
        fields=table,
        last_car=CARS - 1,
        slowest=SLOWEST_HZ,
        ping=PING_INTERVAL_S + PING_TIMEOUT_S,
        **reasons,
    )


def _source(field: LiveField) -> str:
    return PACKET_NAMES[field.packet_id] if field.packet_id else "gateway, header or session"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(json.dumps(schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    DOCUMENT.write_text(document(), encoding="utf-8")
