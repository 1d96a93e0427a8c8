"""What the path of a live WebSocket asks for. Pure.

/live/car                   the followed car of the current rig
/live/second                its second player, on a split screen
/live/car/INDEX             any of its cars, 0 to 23
/live/rig/NAME              the same of one rig: also /live/rig/NAME/second and /live/rig/NAME/car/INDEX
/live/all                   the followed car of every rig

`?hz=10` asks for fewer frames than settings allow: for viewers that draw slowly, as Grafana does.
"""

from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from f1_packets import PACKETS
from f1_packets.block import rig_name
from udp_gateway.live import Rigs
from udp_gateway.live_state import Car
from udp_gateway.message import CAR_TELEMETRY

CARS = max(packet.num_cars for (_, packet_id), packet in PACKETS.items() if packet_id == CAR_TELEMETRY)

SLOWEST_HZ = 0.1


class Feed(NamedTuple):
    rigs: str | Rigs
    car: Car | int
    rate_hz: float


def read(target: str, most_hz: float) -> Feed | None:
    """The feed of a request target (path and query) at a rate of at most `most_hz`; None if it is no live path.

    Raises ValueError for a car or a rate that cannot be.
    """
    address = urlsplit(target)
    rigs: str | Rigs = Rigs.CURRENT
    car: Car | int = Car.FOLLOWED
    match [unquote(part) for part in address.path.split("/")]:
        case ["", "live", "all"]:
            rigs = Rigs.ALL
        case ["", "live", "car"]:
            pass
        case ["", "live", "second"]:
            car = Car.SECOND
        case ["", "live", "car", index]:
            car = _index(index)
        case ["", "live", "rig", rig] if rig:
            rigs = rig_name(rig)
        case ["", "live", "rig", rig, "second"] if rig:
            rigs, car = rig_name(rig), Car.SECOND
        case ["", "live", "rig", rig, "car", index] if rig:
            rigs, car = rig_name(rig), _index(index)
        case _:
            return None
    return Feed(rigs, car, _rate_hz(address.query, most_hz))


def _index(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < CARS):
        raise ValueError(f"a car is a number from 0 to {CARS - 1}")
    return int(text)


def _rate_hz(query: str, most: float) -> float:
    try:
        wanted = [float(text) for text in parse_qs(query).get("hz", [])]
    except ValueError:
        wanted = [0.0]
    if not all(rate >= SLOWEST_HZ for rate in wanted):  # so nan is refused as well
        raise ValueError(f"hz is a number from {SLOWEST_HZ}")
    return min([*wanted, most])
