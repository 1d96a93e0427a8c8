"""A race of simulated cars, sent as the game would send it, and the truth about it to compare with.

    race = Race(RaceConfig(packet_format=2025, laps=5, seed=7))
    for offset_s, datagram in race.datagrams(): …
    race.manifest().save(path)

`model` computes the race (`track`, `driving`, `tyres`, `energy`, `drivers`), `state` looks it up at any moments,
`motion`, `timing`, `machine`, `session` and `events` put it into packets, `race` orders them in time.
"""

from pitlane.simulator.config import RaceConfig, SimulationError
from pitlane.simulator.manifest import Manifest
from pitlane.simulator.race import Race

__all__ = ["Manifest", "Race", "RaceConfig", "SimulationError"]
