"""core.lobby_player: who waits in a lobby, minute by minute."""

import numpy as np
import pyarrow as pa

from f1_packets import text
from spark.facts import FACTS
from spark.jobs.blocks import Samples, Sessions
from spark.jobs.missing import none_if_greatest, none_if_zero, optional
from spark.jobs.order import newest

MINUTE_NS = 60 * 10**9


def players(packets: Samples, sessions: Sessions) -> pa.Table:
    """The newest sample of each slot in each minute of arrival.

    Frames do not count in a lobby, and what was not there in a minute's last packet may have been in its first.
    """
    arrival = packets.entries["arrival_ns"].astype("i8")
    minute = arrival - arrival % MINUTE_NS
    cars = packets.datagrams["cars"]
    row, slot = np.nonzero(np.arange(cars.shape[1]) < packets.datagrams["num_players"][:, None])
    stands = newest((packets.session[row], minute[row], slot), (arrival[row],))
    row, slot = row[stands], slot[stands]
    player = cars[row, slot]
    return FACTS["lobby_player"].rows(
        {
            "rig": sessions.rig[packets.session[row]],
            "minute": _instants(minute[row]),
            "slot": slot,
            "arrived_at": _instants(arrival[row]),
            "packet_format": packets.header["packet_format"][row],
            "game_year": packets.header["game_year"][row],
            "players": packets.datagrams["num_players"][row],
            "name": np.array([text(name) for name in player["name"].tolist()], object),
            "is_ai": player["ai_controlled"] == 1,
            "team_id": none_if_greatest(player["team_id"]),
            "nationality_id": np.ma.masked_equal(none_if_zero(player["nationality"]), 255),
            "platform_id": none_if_greatest(player["platform"]),
            "race_number": none_if_zero(player["car_number"]),
            "ready_status_id": player["ready_status"],
            "is_telemetry_public": optional(player, "your_telemetry") == 1,
            "shows_online_name": optional(player, "show_online_names") == 1,
            "tech_level": np.ma.masked_equal(optional(player, "tech_level"), 0),
        }
    )


def _instants(ns: np.ndarray) -> pa.Array:
    return pa.array((ns // 1000).astype("M8[us]"))
