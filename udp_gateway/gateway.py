"""The gateway put together: carries out what the core decides, and says how things stand."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from itertools import count

import structlog

from pitlane.settings import GatewaySettings
from udp_gateway.blocks import BlockKey, Gatherer
from udp_gateway.decide import SESSION, Core, Effect, Forward, Note, Reject, ShowLive, Skip, StoreSession
from udp_gateway.grafana_live import GrafanaLive
from udp_gateway.ledger import Ledger
from udp_gateway.live import STALE_S, Hub
from udp_gateway.outbox import Outbox
from udp_gateway.post import Poster
from udp_gateway.receive import Receiver
from udp_gateway.relay import Relay
from udp_gateway.sessions import SessionStore
from udp_gateway.web import Web

log = structlog.get_logger()

RATE_INTERVAL_S = 1.0
AFTER_FAULT_S = 1.0


class Gateway:
    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._started = time.time()
        self._core = Core(settings.rigs, settings.shards)
        self._ledger = Ledger()
        self._gatherer = Gatherer(settings.block_bytes, block_ids())
        self._outbox = Outbox(settings.outbox_bytes, lambda block: self._ledger.block_dropped(block, "outbox_full"))
        self._poster = Poster(settings.nifi_blocks_url, self._outbox, self._ledger.block_arrived)
        self._sessions = SessionStore(settings.conninfo("gateway"), self._ledger)
        self._hub = Hub()
        self._grafana = GrafanaLive(settings) if settings.grafana_url else None
        self._relay = Relay(settings.relay, (settings.udp_host, settings.udp_port))
        self._web = Web(settings, self._hub, self.status, self.health)
        self._receiver: Receiver | None = None
        self._rates: dict[str, float] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listens; raises PitlaneError when a port cannot be had."""
        settings = self._settings
        self._clock = asyncio.get_running_loop().time
        http_port = await self._web.start()
        self._receiver = Receiver(settings.udp_host, settings.udp_port, settings.receive_buffer_bytes, self.on_datagram)
        self._receiver.start()
        for work in (self._poster.run, self._sessions.run, self._flush_blocks, self._measure_rates, self._hub.run):
            self._tasks.append(asyncio.create_task(_for_ever(work)))
        if self._grafana is not None:
            self._tasks.append(asyncio.create_task(_for_ever(self._grafana.run)))
        log.info(
            "listening",
            udp=f"{self._receiver.address[0]}:{self._receiver.address[1]}",
            http=f"http://{settings.http_host}:{http_port}/",
            nifi=settings.nifi_blocks_url,
        )

    async def stop(self) -> None:
        """Takes what the kernel still holds, flushes blocks and sessions for at most `shutdown_s`, and closes."""
        if self._receiver is not None:
            self._receiver.close()
        self._hand_over_blocks()
        timeout_s = self._settings.shutdown_s
        await asyncio.gather(self._poster.drain(timeout_s), self._sessions.drain(timeout_s))
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._web.close()
        self._relay.close()
        counts = self._counts()
        log.info("stopped", **{name: value for name, value in counts.items() if name != "packets"})
        if counts["waiting"]:
            log.error("lost at shutdown", datagrams=counts["waiting"])

    def on_datagram(self, datagram: bytes, source: str, now_ns: int) -> None:
        """One datagram from the socket: decided, and done."""
        self._relay.send(datagram)
        self._ledger.received += 1
        for effect in self._core.decide(datagram, source, now_ns):
            self._carry_out(effect)

    def _carry_out(self, effect: Effect) -> None:
        ledger = self._ledger
        match effect:
            case Forward(key, arrival_ns, entry):
                ledger.packets[key.packet_format, key.packet_id, key.packet_name] += 1
                self._gatherer.add(key, arrival_ns, entry)
            case ShowLive(state):
                self._hub.publish(state, self._clock())
                if self._grafana is not None:
                    self._grafana.offer(state)
            case StoreSession(row, sample):
                ledger.packets[row.packet_format, SESSION, "session"] += 1
                self._sessions.put(row, sample)
            case Skip(packet_format, reason):
                ledger.packets[packet_format, SESSION, "session"] += 1
                ledger.skipped[reason] += 1
            case Reject(key, arrival_ns, entry):
                ledger.rejected[key.reject_reason] += 1
                if not self._gatherer.add(key, arrival_ns, entry):
                    ledger.dead_letter_dropped += 1
            case Note(event, fields):
                log.info(event, **fields)

    async def _flush_blocks(self) -> None:
        while True:
            await asyncio.sleep(self._settings.block_interval_ms / 1000)
            self._hand_over_blocks()

    def _hand_over_blocks(self) -> None:
        blocks = self._gatherer.take()
        if blocks:
            self._outbox.append(blocks)
            self._poster.wake()

    async def _measure_rates(self) -> None:
        """Datagrams a second of each rig, over the last second; the log hears when a feed stops and resumes."""
        before: dict[str, int] = {}
        then = self._clock()
        while True:
            await asyncio.sleep(RATE_INTERVAL_S)
            now = self._clock()
            seen = {name: rig.datagrams for name, rig in self._core.rigs.items()}
            rates = {name: (seen[name] - before.get(name, 0)) / (now - then) for name in seen}
            for name, rate in rates.items():
                if (rate == 0) != (self._rates.get(name, 0) == 0):
                    log.info("feed stopped" if rate == 0 else "feed running", rig=name)
            self._rates, before, then = rates, seen, now

    def _counts(self) -> dict[str, object]:
        waiting: list[tuple[BlockKey, int]] = list(self._gatherer.counts())
        waiting.extend((block.key, block.datagrams) for block in self._outbox)
        return self._ledger.as_dict(waiting, self._sessions.waiting)

    def status(self) -> dict[str, object]:
        """Everything `/status` says; the equation of `ledger` holds in it."""
        now = time.time()
        receiver = self._receiver
        return {
            "uptime_s": round(now - self._started, 1),
            **self._counts(),
            "rigs": {
                name: {
                    "rate_hz": round(self._rates.get(name, 0.0), 1),
                    "datagrams": rig.datagrams,
                    "last_seen": round(rig.last_seen_ns / 1e9, 3),
                    "silent_s": round(max(0.0, now - rig.last_seen_ns / 1e9), 1),
                    "format": rig.packet_format,
                    "session": f"{rig.session_uid:016x}",
                    "frame_gaps": rig.frame_gaps,
                    "viewers": self._hub.viewers_of(name),
                }
                for name, rig in self._core.rigs.items()
            },
            "kernel": {
                "drops": receiver.kernel_drops() if receiver else None,
                "buffer_bytes": receiver.buffer_bytes if receiver else None,
                "errors": receiver.errors if receiver else 0,
            },
            "outbox": {"blocks": len(self._outbox), "bytes": self._outbox.bytes},
            "session_samples_dropped": self._sessions.samples_dropped,
            "viewers": self._hub.viewers(),
            "relay": self._relay.as_list(),
            "nifi": self._poster.nifi.as_dict(),
            "postgres": self._sessions.postgres.as_dict(),
            "grafana": self._grafana.grafana.as_dict() if self._grafana is not None else None,
        }

    def health(self) -> dict[str, object]:
        """What `/healthz` says. The gateway is well while it listens; a neighbour away makes it `degraded`."""
        nifi, postgres = self._poster.nifi.state, self._sessions.postgres.state
        feed = any(time.time() - rig.last_seen_ns / 1e9 < STALE_S for rig in self._core.rigs.values())
        return {
            "status": "degraded" if "down" in (nifi, postgres) else "ok",
            "feed": "live" if feed else "stale",
            "nifi": nifi,
            "postgres": postgres,
        }


async def _for_ever(work: Callable[[], Awaitable[None]]) -> None:
    """A fault in one part must not end it while the others run on: what was received would pile up unseen."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("starting again after a fault", part=work.__qualname__)
            await asyncio.sleep(AFTER_FAULT_S)


def block_ids() -> Callable[[], str]:
    """Ids unique over restarts: what sets this run apart, and a count."""
    run = f"{int(time.time()):08x}{secrets.token_hex(4)}"
    numbers = count()
    return lambda: f"{run}-{next(numbers):08x}"
