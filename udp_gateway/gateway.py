"""The gateway put together: carries out what the core decides, and says how things stand."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import structlog

from pitlane.errors import PitlaneError
from pitlane.settings import GatewaySettings
from udp_gateway.blocks import Gatherer
from udp_gateway.decide import (
    SESSION,
    SOURCE_UNKNOWN,
    Core,
    Drop,
    Effect,
    Forward,
    Note,
    Reject,
    ShowLive,
    Skip,
    StoreSession,
)
from udp_gateway.grafana_live import GrafanaLive
from udp_gateway.health import health
from udp_gateway.ledger import Ledger
from udp_gateway.live import Hub
from udp_gateway.post import Poster
from udp_gateway.raw import Taps
from udp_gateway.receive import Receiver
from udp_gateway.record import Sums
from udp_gateway.relay import Relay
from udp_gateway.sessions import SessionStore
from udp_gateway.spool import Spool
from udp_gateway.tally import Tally
from udp_gateway.web import Web

log = structlog.get_logger()

RATE_INTERVAL_S = 1.0

SESSION_SHARE = 16
"""Session packets get this part of what the spool may take: two of some 355 packets a second."""
AFTER_FAULT_S = 1.0


class SpoolUnusable(PitlaneError):
    reason = "spool_unusable"


class Gateway:
    def __init__(self, settings: GatewaySettings) -> None:
        """Opens the spool; raises SpoolTaken or SpoolUnusable."""
        self._settings = settings
        self._started = time.time()
        self._core = Core(settings.rigs, settings.shards, settings.allowed_sources, settings.source_rate)
        self._gatherer = Gatherer(settings.block_bytes)
        self._open_spool()
        self._poster = Poster(
            settings.nifi_blocks_url,
            self._blocks,
            self._ledger,
            settings.spool / "refused",
            settings.blocks_context,
        )
        self._sessions = SessionStore(settings.conninfo("gateway"), self._session_blocks, self._ledger)
        self._hub = Hub()
        self._taps = Taps(settings.rigs)
        self._grafana = GrafanaLive(settings) if settings.grafana_url else None
        self._relay = Relay(settings.relay, (settings.udp_host, settings.udp_port))
        self._web = Web(settings, self._hub, self.status, self.health, self._taps)
        self._receiver: Receiver | None = None
        self._spooled = asyncio.Event()
        self._rates: dict[str, float] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def _open_spool(self) -> None:
        """What the run before left: its blocks, its session packets and its counts."""
        settings = self._settings

        def drop(sums: Sums, reason: str) -> None:
            self._ledger.drop(sums, reason)

        try:
            self._tally = Tally(settings.spool / "received")
            self._blocks = Spool(settings.spool / "nifi", settings.spool_bytes, drop)
            self._session_blocks = Spool(settings.spool / "postgres", settings.spool_bytes // SESSION_SHARE, drop)
        except OSError as error:
            raise SpoolUnusable(f"cannot spool into {settings.spool}: {error}", "set PITLANE_SPOOL") from error
        blocks, sessions = self._blocks.recovered, self._session_blocks.recovered
        note = blocks.note
        if note is not None and sessions.note is not None:
            # Only the sessions' own note fits what their spool still holds.
            note = {**note, "stored": sessions.note["stored"]}
        unaccounted = [*blocks.unaccounted, *sessions.unaccounted]
        self._ledger = Ledger.recover(note, unaccounted, self._waiting(), self._tally.of(self._blocks.id))
        self._tally.set(self._ledger.received)
        if waiting := self._waiting().total:
            log.info("spool recovered", datagrams=waiting)
        if lost := self._ledger.dropped["crash"] - (note["dropped"].get("crash", 0) if note else 0):
            log.error("lost in a crash", datagrams=lost)

    async def start(self) -> None:
        """Listens; raises PitlaneError when a port cannot be had."""
        settings = self._settings
        self._clock = asyncio.get_running_loop().time
        http_port = await self._web.start()
        self._receiver = Receiver(
            settings.udp_host,
            settings.udp_port,
            settings.receive_buffer_bytes,
            self.on_datagram,
            reuse_port=settings.udp_reuse_port,
        )
        self._receiver.start()
        parts = (self._poster, self._sessions, self._hub)
        for work in (*(part.run for part in parts), self._spool_blocks, self._sync_blocks, self._measure_rates):
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
        """Takes what the kernel still holds, lets NiFi and Postgres take theirs for at most `shutdown_s`, and closes.

        What they have not taken by then stays in the spool for the next run.
        """
        if self._receiver is not None:
            self._receiver.close()
        self._hand_over_blocks()
        self._sync()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.shutdown_s):
                while self._waiting().total:
                    await asyncio.sleep(0.02)
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._hand_over_blocks()  # notes what they took
        self._sync()
        await self._taps.end()
        await self._web.close()
        self._relay.close()
        counts = self._ledger.as_dict(self._waiting())
        log.info("stopped", **{name: value for name, value in counts.items() if name != "packets"})
        for opened in (self._session_blocks, self._blocks, self._tally):
            opened.close()

    def on_datagram(self, datagram: bytes, source: str, now_ns: int) -> bool:
        """One datagram from the socket: decided, and done. False when its source is not an allowed one."""
        self._ledger.received += 1
        self._tally.set(self._ledger.received)
        effects = self._core.decide(datagram, source, now_ns)
        is_allowed = effects is not SOURCE_UNKNOWN
        if is_allowed:
            self._relay.send(datagram)
            self._taps.offer(datagram, source, now_ns)
        for effect in effects:
            self._carry_out(effect)
        if self._gatherer.is_full:  # in a flood, a tenth of a second of it at once would hold up the live frames
            self._hand_over_blocks()
        return is_allowed

    def _carry_out(self, effect: Effect) -> None:
        ledger = self._ledger
        match effect:
            case Forward(key, arrival_ns, entry) | StoreSession(key, arrival_ns, entry):
                ledger.gathered(key)
                self._gatherer.add(key, arrival_ns, entry)
            case ShowLive(state):
                self._hub.publish(state, self._clock())
                if self._grafana is not None:
                    self._grafana.offer(state)
            case Skip(packet_format, reason):
                ledger.packets[packet_format, SESSION, "session"] += 1
                ledger.skipped[reason] += 1
            case Reject(key, arrival_ns, entry):
                ledger.gathered(key)
                if not self._gatherer.add(key, arrival_ns, entry):
                    ledger.dead_letter_dropped += 1
            case Drop(reason):
                ledger.dropped[reason] += 1
            case Note(event, fields):
                log.info(event, **fields)

    async def _spool_blocks(self) -> None:
        """What is gathered goes into the spool every `block_interval_ms`, however long a sync takes."""
        while True:
            await asyncio.sleep(self._settings.block_interval_ms / 1000)
            self._hand_over_blocks()

    async def _sync_blocks(self) -> None:
        """What is in the spool goes to disk, at most every `spool_sync_ms`, and from there to NiFi and Postgres."""
        while True:
            await self._spooled.wait()
            self._spooled.clear()
            begun = self._clock()
            await asyncio.gather(*(asyncio.to_thread(spool.sync) for spool in (self._session_blocks, self._blocks)))
            self._wake()
            # A little less, or every other time the next blocks would be just too early.
            await asyncio.sleep(0.9 * self._settings.spool_sync_ms / 1000 - (self._clock() - begun))

    def _hand_over_blocks(self) -> None:
        blocks = self._gatherer.take()
        sessions = [block for block in blocks if block.key.packet_id == SESSION]
        self._session_blocks.append(sessions, self._ledger.note)
        self._blocks.append([block for block in blocks if block.key.packet_id != SESSION], self._ledger.note)
        self._spooled.set()

    def _sync(self) -> None:
        self._session_blocks.sync()
        self._blocks.sync()
        self._wake()

    def _wake(self) -> None:
        self._poster.wake()
        self._sessions.wake()

    def _waiting(self) -> Sums:
        """Datagrams that are gathered or in a spool."""
        gathered = sum((Sums.of(key, count) for key, count in self._gatherer.counts()), Sums())
        return gathered + self._blocks.waiting + self._session_blocks.waiting

    async def _measure_rates(self) -> None:
        """Datagrams a second of each rig, over the last second; the log hears when a feed stops and resumes."""
        before: dict[str, int] = {}
        then = self._clock()
        while True:
            await asyncio.sleep(RATE_INTERVAL_S)
            now = self._clock()
            rigs = dict(self._core.rigs)
            seen = {name: rig.datagrams for name, rig in rigs.items()}
            rates = {name: (seen[name] - before.get(name, 0)) / (now - then) for name in seen}
            for name, rate in rates.items():
                if (rate == 0) != (self._rates.get(name, 0) == 0):
                    event = "feed stopped" if rate == 0 else "feed running"
                    log.info(event, rig=name, session=rigs[name].session_name)
            self._rates, before, then = rates, seen, now

    def status(self) -> dict[str, object]:
        """Everything `/status` says; the equation of `ledger` holds in it."""
        now = time.time()
        receiver = self._receiver
        return {
            "uptime_s": round(now - self._started, 1),
            "ledger": self._blocks.id,
            **self._ledger.as_dict(self._waiting()),
            "rigs": {
                name: {
                    "rate_hz": round(self._rates.get(name, 0.0), 1),
                    "datagrams": rig.datagrams,
                    "last_seen": round(rig.last_seen_ns / 1e9, 3),
                    "silent_s": round(max(0.0, now - rig.last_seen_ns / 1e9), 1),
                    "format": rig.packet_format,
                    "session": rig.session_name,
                    "frames": rig.frames,
                    "frame_gaps": rig.frame_gaps,
                    "viewers": self._hub.viewers_of(name),
                }
                for name, rig in self._core.rigs.items()
            },
            "kernel": {
                "drops": receiver.kernel_drops() if receiver else None,
                "buffer_bytes": receiver.buffer_bytes if receiver else None,
                "buffer_wanted_bytes": self._settings.receive_buffer_bytes,
                "errors": receiver.errors if receiver else 0,
            },
            "spool": {
                "nifi": _depth(self._blocks, now),
                "postgres": _depth(self._session_blocks, now),
            },
            "viewers": self._hub.viewers(),
            "relay": self._relay.as_list(),
            "nifi": self._poster.nifi.as_dict(),
            "postgres": self._sessions.postgres.as_dict(),
            "grafana": self._grafana.grafana.as_dict() if self._grafana is not None else None,
        }

    def health(self) -> dict[str, object]:
        """What `/healthz` says."""
        return health(self.status())


async def _for_ever(work: Callable[[], Awaitable[None]]) -> None:
    """A fault in one part must not end it while the others run on: what was received would pile up unseen."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("starting again after a fault", part=work.__qualname__)
            await asyncio.sleep(AFTER_FAULT_S)


def _depth(spool: Spool, now: float) -> dict[str, object]:
    return {
        "bytes": spool.bytes,
        "datagrams": spool.waiting.total,
        "oldest_s": round(spool.oldest_s(now), 1),
        "limit_bytes": spool.limit_bytes,
    }
