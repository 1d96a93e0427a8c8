"""The gateway as a process: real UDP in; blocks, rows and live frames out. NiFi's part is an HTTP endpoint here."""

import asyncio
import io
import json
import random
import signal
import socket
import struct
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict

import psutil
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from pitlane import capture, replay, watch
from tests.datagrams import datagram, session
from tests.gateway import BlockEndpoint, GatewayProcess, door, free_port, gateway_process, send
from tests.peers import peer_decoder
from tests.shared import RACE_2026, TIME_TRIAL, needs_recordings


async def play(gateway: GatewayProcess, path, speed: float) -> list[bytes]:
    """A recording through a real socket, faster than it was; what was sent."""
    await asyncio.to_thread(replay.send, list(replay.recorded(path)), *gateway.udp, speed)
    return [found.payload for found in capture.read(path)]


def closes(status: dict) -> bool:
    """The equation of `udp_gateway.ledger`."""
    total = {name: sum(status[name].values()) for name in ("skipped", "rejected", "dropped", "dead_letter")}
    terms = status["stored"] + status["forwarded"] + status["waiting"]
    received = terms + total["skipped"] + total["rejected"] + total["dropped"]
    return status["received"] == received and total["rejected"] == total["dead_letter"]


def without_sessions(datagrams: list[bytes]) -> list[bytes]:
    return [raw for raw in datagrams if raw[6] != 1]


@pytest.fixture
async def nifi():
    """An endpoint and its URL."""
    port = free_port()
    async with BlockEndpoint().serving(port) as endpoint:
        yield endpoint, f"http://127.0.0.1:{port}/blocks"


@pytest.fixture
def postgres(database):
    """Settings of a gateway that writes to the migrated database, whose session tables are empty."""
    with psycopg.connect(database.conninfo("owner")) as owner:
        owner.execute("TRUNCATE core.session, core.session_sample, core.weather_forecast")
    password = database.postgres_gateway_password.get_secret_value()
    return {
        "postgres_port": database.postgres_port,
        "postgres_database": database.postgres_database,
        "postgres_gateway_password": password,
    }


def query(database, statement: str) -> list[tuple]:
    with psycopg.connect(database.conninfo("owner")) as owner:
        return owner.execute(statement).fetchall()


# --- from the socket to NiFi and Postgres ---------------------------------------------------------------------------


@needs_recordings
@pytest.mark.parametrize(("path", "speed"), [(TIME_TRIAL, 60), (RACE_2026, 4)], ids=lambda p: getattr(p, "stem", ""))
async def test_a_recording_arrives_whole(tmp_path, nifi, database, postgres, path, speed):
    endpoint, url = nifi
    async with gateway_process(tmp_path, nifi_blocks_url=url, **postgres) as gateway:
        sending = asyncio.create_task(play(gateway, path, speed))
        while not sending.done():
            assert closes(await gateway.status()), "at any moment"
            await asyncio.sleep(0.1)
        sent = sending.result()
        status = await gateway.settled(len(sent))

    assert closes(status)
    assert Counter(endpoint.datagrams()) == Counter(without_sessions(sent)), "byte for byte, none lost, none twice"
    by_kind = defaultdict(list)
    for raw in without_sessions(sent):
        by_kind[raw[6]].append(raw)
    for kind, expected in by_kind.items():
        blocks = [(a, c) for a, c in endpoint.blocks if a["packet.id"] == str(kind)]
        arrived = b"".join(content for _, content in blocks)
        entry = 24 + len(expected[0])
        assert [arrived[at + 24 : at + entry] for at in range(0, len(arrived), entry)] == expected, "in order"
        assert {a["shard"] for a, _ in blocks} == {"0"} or {a["shard"] for a, _ in blocks} == {"1"}
    assert len({a["block.id"] for a, _ in endpoint.blocks}) == len(endpoint.blocks)
    assert status["kernel"]["drops"] in (0, None)
    sessions = [raw for raw in sent if raw[6] == 1]
    assert status["stored"] + sum(status["skipped"].values()) == len(sessions)
    check_sessions(database, sessions)


def check_sessions(database, sessions: list[bytes]) -> None:
    """Rows and samples against what an independent decoder reads from the same packets."""
    decoded = [peer_decoder(struct.unpack_from("<H", raw)[0]).resolve(raw) for raw in sessions]
    real = [p for p in decoded if p.header.session_uid and p.track_length]
    # Frame 0 is the end of a session if the clock runs, else its start.
    newest = max(
        real,
        key=lambda p: (
            p.header.overall_frame_identifier == 0 and p.header.session_time > 0,
            p.header.overall_frame_identifier,
        ),
    )
    assert query(
        database,
        "SELECT core.session_hex(session_uid), rig, track_id, total_laps, track_length_m, session_duration_s, "
        "player_car_index, weekend_link, sector2_start_m::float8, sector3_start_m::float8 FROM core.session",
    ) == [
        (
            f"{newest.header.session_uid:016x}",
            "127.0.0.1", newest.track_id, newest.total_laps, newest.track_length, newest.session_duration,
            newest.header.player_car_index, newest.weekend_link_identifier,
            newest.sector2_lap_distance_start, newest.sector3_lap_distance_start,
        )
    ]  # fmt: skip
    changes, before = [], None
    for p in real:
        now = p.weather, p.track_temperature, p.air_temperature, p.safety_car_status, p.session_time_left
        if now != before:
            changes.append(now)
        before = now
    samples = query(
        database,
        "SELECT weather_id, track_temperature_c, air_temperature_c, safety_car_status, session_time_left_s "
        "FROM core.session_sample ORDER BY arrived_at",
    )
    assert samples == changes
    settings = (newest.steering_assist, newest.game_mode, newest.equal_car_performance, newest.safety_car)
    weekend = list(newest.weekend_structure)[: newest.num_sessions_in_weekend]
    assert query(
        database,
        "SELECT steering_assist::int, game_mode, has_equal_cars::int, safety_car_id, weekend_structure FROM core.session",
    ) == [(*settings, weekend if any(weekend) else None)]
    check_forecasts(database, real)


def check_forecasts(database, real: list) -> None:
    """Each whole when anything in it changed, without what pads it."""
    changes, before = [], None
    for p in real:
        now = [
            tuple(getattr(entry, name) for name, _ in entry._fields_)
            for entry in list(p.weather_forecast_samples)[: p.num_weather_forecast_samples]
        ]
        changes += [(p.header.overall_frame_identifier, *entry) for entry in sorted(now)] if now != before else []
        before = now
    assert (
        query(
            database,
            "SELECT overall_frame, session_type_id, time_offset_min, weather_id, track_temperature_c, "
            "track_temperature_change, air_temperature_c, air_temperature_change, rain_percent "
            "FROM core.weather_forecast ORDER BY 1, 2, 3",
        )
        == changes
    )


async def test_rejected_datagrams_go_to_the_dead_letter_with_their_reason(tmp_path, nifi):
    endpoint, url = nifi
    junk = [b"hello", b"world", b"longer junk", datagram(6)[:-1], b"\xe6\x07" + bytes(100)]
    async with gateway_process(tmp_path, nifi_blocks_url=url) as gateway:
        await send(gateway, [*junk, datagram(0)])
        status = await gateway.settled(6)
    assert status["rejected"] == {"too_short": 3, "wrong_size": 1, "unknown_format": 1}
    assert status["dead_letter"] == {"forwarded": 5, "waiting": 0, "dropped": 0}
    assert status["forwarded"] == 1
    assert closes(status)
    rejected = [a for a, _ in endpoint.blocks if a["packet.name"] == "rejected"]
    counts = Counter({(a["reject.reason"], a["block.bytes"]): int(a["block.count"]) for a in rejected})
    assert counts == {("too_short", "29"): 2, ("too_short", "35"): 1, ("wrong_size", "1375"): 1,
                      ("unknown_format", "126"): 1}  # fmt: skip
    assert Counter(endpoint.datagrams()) == Counter([*junk, datagram(0)])


# --- neighbours away ------------------------------------------------------------------------------------------------


async def test_nifi_away_loses_nothing_and_delays_no_viewer(tmp_path):
    port = free_port()
    sent = [datagram(6, overall_frame=frame) for frame in range(1, 200)]
    async with gateway_process(tmp_path, nifi_blocks_url=f"http://127.0.0.1:{port}/blocks") as gateway:
        async with connect(f"ws://{gateway.http}/live/car", proxy=None) as viewer:
            sending = asyncio.create_task(send(gateway, sent, pause_s=0.005))
            delays = []
            for _ in range(50):
                message = json.loads(await asyncio.wait_for(viewer.recv(), 2))
                delays.append(time.time() * 1000 - message["ts"])
            await sending
        away = await gateway.status()
        assert away["nifi"]["state"] == "down"
        assert (away["forwarded"], away["waiting"]) == (0, 199)
        assert closes(away)
        async with BlockEndpoint().serving(port) as endpoint:
            status = await gateway.settled(199)
    assert endpoint.datagrams() == sent, "all of them, in order"
    assert status["forwarded"] == 199
    assert sorted(delays)[len(delays) // 2] < 50
    assert [e["event"] for e in gateway.events() if e.get("neighbour") == "nifi"] == ["neighbour down", "neighbour up"]


async def test_what_waits_for_nifi_is_bounded_and_the_rest_counted(tmp_path):
    async with gateway_process(tmp_path, spool_bytes=2**20, block_interval_ms=20) as gateway:
        await send(gateway, [datagram(6, overall_frame=frame) for frame in range(2000)], pause_s=0.001)
        await asyncio.sleep(0.3)
        status = await gateway.status()
        on_disk = sum(path.stat().st_size for path in (tmp_path / "spool" / "nifi").iterdir())
    assert status["received"] == 2000
    assert status["dropped"]["spool_full"] > 1000
    assert on_disk <= 2**20 + 100_000
    assert status["spool"]["nifi"]["bytes"] <= 2 * 2**20, "the batch that is out is beside it"
    assert closes(status)


async def test_postgres_away_and_cut_off_loses_no_session(tmp_path, nifi, database, postgres):
    port = free_port()
    packets = [session({38: ("H", 7000 - n)}, overall_frame=60 * (n + 1), uid=1 + n // 10) for n in range(30)]
    settings = {**postgres, "postgres_port": port, "nifi_blocks_url": nifi[1]}
    async with gateway_process(tmp_path, **settings) as gateway:
        await send(gateway, packets[:10], pause_s=0.01)
        async with asyncio.timeout(10):
            while (status := await gateway.status())["postgres"]["state"] != "down":
                await asyncio.sleep(0.05)
        assert (status["stored"], status["waiting"]) == (0, 10)
        async with door(port, database.postgres_port):
            await gateway.settled(10)
        await send(gateway, packets[10:20], pause_s=0.05)
        assert (await gateway.status())["waiting"] > 0, "the connection was cut"
        async with door(port, database.postgres_port):
            await send(gateway, packets[20:], pause_s=0.01)
            status = await gateway.settled(30)
    assert status["stored"] == 30
    assert closes(status)
    rows = "SELECT session_uid, overall_frame FROM core.session ORDER BY 1"
    assert query(database, rows) == [(1, 600), (2, 1200), (3, 1800)]
    assert query(database, "SELECT session_time_left_s FROM core.session_sample ORDER BY 1 DESC") == [
        (7000 - n,) for n in range(30)
    ]


async def test_a_row_that_postgres_refuses_holds_up_no_other(tmp_path, database, postgres):
    with psycopg.connect(database.conninfo("owner"), autocommit=True) as owner:
        owner.execute("ALTER TABLE core.session ADD CONSTRAINT no_99 CHECK (total_laps <> 99)")
        owner.execute("ALTER TABLE core.session_sample ADD CONSTRAINT no_99 CHECK (weather_id <> 99)")
        try:
            async with gateway_process(tmp_path, **postgres) as gateway:
                packets = [session({32: ("B", laps), 29: ("B", laps)}, uid=laps) for laps in (98, 99, 100)]
                await send(gateway, packets)
                status = await gateway.settled(3)
        finally:
            owner.execute("ALTER TABLE core.session DROP CONSTRAINT no_99")
            owner.execute("ALTER TABLE core.session_sample DROP CONSTRAINT no_99")
    assert query(database, "SELECT total_laps FROM core.session ORDER BY 1") == [(98,), (100,)]
    assert query(database, "SELECT weather_id FROM core.session_sample ORDER BY 1") == [(98,), (100,)]
    assert (status["stored"], status["dropped"]) == (2, {"refused": 1})
    assert closes(status)


# --- stopping and starting ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
async def test_a_stop_flushes_what_was_gathered(tmp_path, nifi, database, postgres, stop):
    endpoint, url = nifi
    sent = [datagram(0, overall_frame=frame) for frame in range(60)]
    settings = {**postgres, "nifi_blocks_url": url, "shutdown_s": 5, "block_interval_ms": 60_000}
    async with gateway_process(tmp_path, **settings) as gateway:
        await send(gateway, [*sent, session()])
        gateway.process.send_signal(stop)
        assert await asyncio.wait_for(gateway.process.wait(), 10) == 0
    assert endpoint.datagrams() == sent
    assert query(database, "SELECT count(*) FROM core.session") == [(1,)]
    stopped = gateway.events()[-1]
    assert (stopped["event"], stopped["waiting"]) == ("stopped", 0)


async def test_a_stop_waits_for_nobody_longer_than_settings_say(tmp_path):
    async with gateway_process(tmp_path, shutdown_s=0.5) as gateway:
        await send(gateway, [datagram(0)])
        started = time.monotonic()
        gateway.process.terminate()
        assert await gateway.process.wait() == 0
    assert time.monotonic() - started < 5
    assert gateway.events()[-1] == gateway.events()[-1] | {"event": "stopped", "waiting": 1}


async def test_what_was_not_taken_waits_for_the_next_run(tmp_path, nifi, database, postgres):
    endpoint, url = nifi
    sent = [datagram(0, overall_frame=frame) for frame in range(60)]
    async with gateway_process(tmp_path) as gateway:  # neither NiFi nor Postgres is there
        await send(gateway, [*sent, b"junk", session(), session(uid=0)])
    assert gateway.events()[-1]["waiting"] == 61
    async with gateway_process(tmp_path, nifi_blocks_url=url, **postgres) as gateway:
        first = await gateway.status()
        status = await gateway.settled(63)
    assert closes(first)
    assert closes(status)
    assert endpoint.datagrams() == [*sent, b"junk"]
    assert (status["stored"], status["forwarded"], status["skipped"]) == (1, 60, {"no_session": 1})
    assert status["rejected"] == {"too_short": 1}
    assert query(database, "SELECT count(*) FROM core.session") == [(1,)]


async def test_a_killed_gateway_loses_only_what_was_not_yet_on_disk_and_says_how_much(tmp_path, nifi):
    """kill -9 under load, five times: what arrives is what was sent, but for the gaps that the ledger counts."""
    endpoint, url = nifi
    frames = iter(range(1, 10**6))
    sent: list[bytes] = []
    folder = tmp_path / "spool"
    for _ in range(5):
        async with gateway_process(tmp_path, nifi_blocks_url=url, spool=folder) as gateway:
            for _ in range(random.randint(30, 120)):
                burst = [datagram(0, overall_frame=next(frames)) for _ in range(10)]
                await send(gateway, burst)
                sent += burst
                await asyncio.sleep(0.001)
            gateway.process.kill()
            await gateway.process.wait()
    async with gateway_process(tmp_path, nifi_blocks_url=url, spool=folder) as gateway:
        status = await gateway.status()
        # What the socket held and the process never read is the kernel's loss: no gateway can count it.
        status = await gateway.settled(status["received"])
    assert closes(status)
    unread = len(sent) - status["received"]
    assert 0 <= unread < len(sent), "how many depends on how busy the machine is"
    lost = status["dropped"].get("crash", 0)
    ids = {a["block.id"]: (a, c) for a, c in endpoint.blocks}
    assert all((a, c) == ids[a["block.id"]] for a, c in endpoint.blocks), "a block that comes twice is the same"
    endpoint.blocks = list(ids.values())
    arrived = endpoint.datagrams()
    assert len(set(arrived)) == len(arrived) == status["forwarded"]
    assert len(arrived) + lost + unread == len(sent)
    assert [raw for raw in sent if raw in set(arrived)] == arrived, "in order"
    assert sorted(int(block_id.split("-")[1], 16) for block_id in ids) == list(range(len(ids)))


async def test_several_gateways_share_the_port_and_each_rig_is_at_one(tmp_path):
    port = free_port(socket.SOCK_DGRAM)
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    shared = {"udp_port": port, "udp_reuse_port": True}
    async with gateway_process(folders[0], **shared) as one, gateway_process(folders[1], **shared) as two:
        rigs = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(24)]
        for number, rig in enumerate(rigs):
            rig.bind((f"127.0.0.{number + 2}", 0))
        for frame in range(1, 151):  # enough for sockets of their own
            for rig in rigs:
                rig.sendto(datagram(0, overall_frame=frame), ("127.0.0.1", port))
            await asyncio.sleep(0.01)
        for rig in rigs:
            rig.close()
        stati: list[dict] = []
        async with asyncio.timeout(10):
            while sum(status["received"] for status in stati) < 24 * 150:
                await asyncio.sleep(0.05)
                stati = [await one.status(), await two.status()]
    assert all(map(closes, stati))
    assert sum(status["received"] for status in stati) == 24 * 150
    names = [set(status["rigs"]) for status in stati]
    assert all(names)
    assert not names[0] & names[1]
    assert all(rig["datagrams"] == 150 for status in stati for rig in status["rigs"].values())


async def test_one_gateway_a_spool(tmp_path):
    async with gateway_process(tmp_path):
        other = tmp_path / "other"
        other.mkdir()
        with pytest.raises(AssertionError, match="spool_taken"):
            async with gateway_process(other, spool=tmp_path / "spool"):
                pass


@pytest.mark.parametrize("value", ["", "192.168.1.0/24", '["192.168.1.0/33"]', '["rig-left.local"]'])
async def test_a_list_of_sources_that_is_not_understood_lets_nobody_in(tmp_path, value):
    with pytest.raises(AssertionError, match="bad_setting"):
        async with gateway_process(tmp_path, allowed_sources=value):
            pass


async def test_only_listed_sources_are_heard_and_none_above_its_rate(tmp_path, nifi):
    settings = {"allowed_sources": '["127.0.0.2/31", "127.0.0.9"]', "source_rate": 50}
    async with gateway_process(tmp_path, nifi_blocks_url=nifi[1], **settings) as gateway:
        for source, count in (("127.0.0.1", 30), ("127.0.0.2", 40), ("127.0.0.9", 500)):
            with socket.socket(type=socket.SOCK_DGRAM) as out:
                out.bind((source, 0))
                for frame in range(count):
                    out.sendto(datagram(0, overall_frame=frame), gateway.udp)
                    if frame % 20 == 19:
                        await asyncio.sleep(0.002)
        status = await gateway.settled(570)
    assert closes(status)
    assert status["dropped"]["source_unknown"] == 30
    assert 2 * 11 <= 40 + 500 - status["dropped"]["source_limit"] <= 150, "50 a second each, and ten at once"
    assert set(status["rigs"]) == {"127.0.0.2", "127.0.0.9"}


@pytest.mark.parametrize(("port", "reason"), [("udp_port", "port_taken"), ("http_port", "http_port_taken")])
async def test_a_taken_port_ends_with_a_reason(tmp_path, port, reason):
    kind = socket.SOCK_DGRAM if port == "udp_port" else socket.SOCK_STREAM
    with socket.socket(type=kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            other.listen()
        with pytest.raises(AssertionError, match="cannot start"):
            async with gateway_process(tmp_path, **{port: other.getsockname()[1]}):
                pass
    (event,) = [json.loads(line) for line in (tmp_path / "gateway.log").read_text().splitlines()][-1:]
    assert (event["event"], event["reason"]) == ("cannot start", reason)
    assert event["hint"]


# --- HTTP and WebSocket ---------------------------------------------------------------------------------------------


async def get(gateway: GatewayProcess, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    def ask() -> tuple[int, dict[str, str], bytes]:
        request = urllib.request.Request(f"http://{gateway.http}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    return await asyncio.to_thread(ask)


async def test_what_http_answers(tmp_path):
    async with gateway_process(tmp_path) as gateway:
        status, headers, page = await get(gateway, "/")
        assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert b"http://" not in page.replace(b"http://www.w3.org/2000/svg", b""), "nothing from outside"
        for path in ("/panel.css", "/panel.js"):
            assert (await get(gateway, path))[0] == 200
        at_rest = json.loads((await get(gateway, "/healthz"))[2])
        assert at_rest.items() >= {
            "status": "ok", "why": [], "feed": "stale", "nifi": "unknown", "postgres": "unknown",
        }.items()  # fmt: skip
        await send(gateway, [datagram(6)])
        await asyncio.sleep(0.5)
        health = json.loads((await get(gateway, "/healthz"))[2])
        assert (health["status"], health["feed"], health["nifi"]) == ("degraded", "live", "down")
        assert health["why"] == ["nifi is down"]
        assert (await get(gateway, "/nothing"))[0] == 404
        assert (await get(gateway, "/../gateway.py"))[0] == 404
        assert (await get(gateway, "/live/car"))[0] == 426
        assert (await get(gateway, "/status", Host="evil.example"))[0] == 421
        assert (await get(gateway, "/status", Origin="http://evil.example"))[0] == 403


async def test_log_lines_about_a_rig_say_which_rig_and_session(tmp_path):
    async with gateway_process(tmp_path, rigs='{"127.0.0.1": "left"}') as gateway:
        await send(gateway, [datagram(6)])
        async with asyncio.timeout(20):
            while not any(event["event"] == "feed stopped" for event in gateway.events()):
                await asyncio.sleep(0.1)
        logged = {event["event"]: event for event in gateway.events()}
    assert (logged["rig appeared"]["rig"], logged["rig appeared"]["source"]) == ("left", "127.0.0.1")
    for event in ("session began", "feed running", "feed stopped"):
        assert (logged[event]["rig"], logged[event]["session"]) == ("left", "85db0a0f77ec492a")


async def test_prometheus_reads_what_was_sent(tmp_path, nifi, database, postgres):
    _, url = nifi
    sent = [datagram(6, overall_frame=frame) for frame in (100, 101, 105)] + [datagram(0), session(), b"junk", b""]
    sent += [datagram(6, packet_format=2026), session(uid=0)]
    rigs = json.dumps({"127.0.0.1": 'the "left" one'})
    async with gateway_process(tmp_path, nifi_blocks_url=url, rigs=rigs, **postgres) as gateway:
        await send(gateway, sent)
        await gateway.settled(len(sent))
        status, headers, body = await get(gateway, "/metrics")
        resident = psutil.Process(gateway.process.pid).memory_info().rss
    assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }
    rig = ("rig", 'the "left" one')
    assert (
        found.items()
        >= {
            ("pitlane_gateway_received_datagrams_total",): 9,
            ("pitlane_gateway_forwarded_datagrams_total",): 5,
            ("pitlane_gateway_stored_datagrams_total",): 1,
            ("pitlane_gateway_skipped_datagrams_total", ("reason", "no_session")): 1,
            ("pitlane_gateway_rejected_datagrams_total", ("reason", "too_short")): 2,
            ("pitlane_gateway_rejected_datagrams_total", ("reason", "wrong_size")): 0,
            ("pitlane_gateway_dead_letters_forwarded_total",): 2,
            ("pitlane_gateway_waiting_datagrams",): 0,
            ("pitlane_gateway_packets_total", ("format", "2025"), ("name", "car_telemetry")): 3,
            ("pitlane_gateway_packets_total", ("format", "2026"), ("name", "car_telemetry")): 1,
            ("pitlane_gateway_packets_total", ("format", "2025"), ("name", "session")): 2,
            ("pitlane_gateway_rig_datagrams_total", rig): 7,
            ("pitlane_gateway_rig_frame_gaps_total", rig): 3,
            ("pitlane_gateway_neighbour_up", ("neighbour", "nifi")): 1,
            ("pitlane_gateway_neighbour_up", ("neighbour", "postgres")): 1,
        }.items()
    )
    assert found["process_resident_memory_bytes",] == pytest.approx(resident, rel=0.2)


async def test_the_watched_status_draws_what_a_gateway_says(tmp_path):
    async with gateway_process(tmp_path) as gateway:
        before = await gateway.status()
        await send(gateway, [datagram(6), b"junk"])
        await asyncio.sleep(0.3)
        now = await gateway.status()
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(watch.view(before, now, time.time(), 24))
    drawn = console.export_text()
    assert "127.0.0.1" in drawn
    assert "spool NiFi" in drawn
    assert "down for" in drawn


async def test_who_may_open_the_stream(tmp_path):
    async with gateway_process(tmp_path, live_viewers=1, http_origins='["https://grafana.example"]') as gateway:
        url = f"ws://{gateway.http}/live/car"

        async def refused(**options: object) -> int:
            with pytest.raises(InvalidStatus) as caught:
                async with connect(url, proxy=None, **options):
                    pass
            return caught.value.response.status_code

        assert await refused(origin="http://evil.example") == 403
        assert await refused(additional_headers={"Host": "evil.example"}) == 400, "two of them"
        async with connect(url, proxy=None, origin="https://grafana.example"):
            assert (await gateway.status())["viewers"] == 1
            assert await refused() == 503
        async with asyncio.timeout(5):
            while (await gateway.status())["viewers"]:
                await asyncio.sleep(0.05)


async def test_a_stalled_viewer_slows_nobody_and_costs_little(tmp_path):
    async with gateway_process(tmp_path) as gateway:
        stalled = socket.create_connection(("127.0.0.1", int(gateway.settings["PITLANE_HTTP_PORT"])))
        stalled.sendall(
            f"GET /live/car HTTP/1.1\r\nHost: {gateway.http}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )  # and reads nothing, ever
        async with connect(f"ws://{gateway.http}/live/car", proxy=None) as viewer:
            frames = [datagram(6, overall_frame=frame) for frame in range(1, 601)]
            sending = asyncio.create_task(send(gateway, frames, pause_s=0.004))
            seen, delays = [], []
            while not seen or seen[-1] < 600:
                message = await asyncio.wait_for(viewer.recv(), 2)
                assert isinstance(message, str)
                fields = json.loads(message)
                seen.append(fields["frame"])
                delays.append(time.time() * 1000 - fields["ts"])
            await sending
            assert (await gateway.status())["viewers"] == 2
        stalled.close()
    assert seen == sorted(set(seen))
    assert len(seen) > 60
    assert sorted(delays)[len(delays) // 2] < 50


async def test_a_viewer_that_says_things_is_not_minded(tmp_path):
    async with (
        gateway_process(tmp_path) as gateway,
        connect(f"ws://{gateway.http}/live/rig/127.0.0.1", proxy=None) as viewer,
    ):
        for _ in range(100):
            await viewer.send("hello")
        await send(gateway, [datagram(6)])
        assert json.loads(await asyncio.wait_for(viewer.recv(), 2))["rig"] == "127.0.0.1"
