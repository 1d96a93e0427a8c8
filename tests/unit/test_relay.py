"""The relay, with real sockets."""

import socket

import pytest

from udp_gateway.relay import Relay, RelayError

OWN = ("127.0.0.1", 20777)


@pytest.fixture
def bound():
    """Opens receiving sockets."""
    opened = []

    def open_one(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
        listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        opened.append(listening)
        listening.settimeout(5)
        listening.bind((host, port))
        return listening

    yield open_one
    for listening in opened:
        listening.close()


def name(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def counts(relay: Relay) -> list[tuple[object, object]]:
    return [(target["sent"], target["failed"]) for target in relay.as_list()]


def test_every_target_gets_every_datagram_as_received(bound):
    there, other, six = bound(), bound(), bound("::1")
    targets = [name(there), f"localhost:{other.getsockname()[1]}", name(six)]
    relay = Relay(targets, OWN)
    sent = [b"", b"x", bytes(range(256)) * 5, bytes(60_000)]
    for datagram in sent:
        relay.send(datagram)
    for listening in (there, other, six):
        assert [listening.recv(65_536) for _ in sent] == sent
    assert relay.as_list() == [{"target": target, "sent": 4, "failed": 0} for target in targets]
    relay.close()


def test_one_dead_target_changes_nothing_for_others_and_gets_all_when_it_is_back(bound):
    dead, alive = bound(), bound()
    address = dead.getsockname()
    relay = Relay([name(dead), name(alive)], OWN)
    dead.close()
    for number in range(10):
        relay.send(bytes([number]))
    assert [alive.recv(10) for _ in range(10)] == [bytes([number]) for number in range(10)]
    ((sent, failed), others) = counts(relay)
    assert others == (10, 0)
    assert sent + failed == 10
    assert failed >= 9, "each refusal is told with the next datagram"
    back = bound(*address)
    for number in range(10, 15):
        relay.send(bytes([number]))
    assert [back.recv(10) for _ in range(5)] == [bytes([number]) for number in range(10, 15)], "from the first on"
    assert counts(relay) == [(5, 10), (15, 0)]
    relay.close()


def test_what_the_kernel_does_not_take_is_counted_and_survived(bound):
    there = bound()
    relay = Relay([name(there)], OWN)
    relay.send(bytes(65_536))  # larger than any datagram
    relay.send(b"x")
    assert there.recv(10) == b"x"
    assert counts(relay) == [(1, 1)]
    relay.close()


def test_a_target_without_a_route_is_counted_and_fatal_to_nothing(bound):
    there = bound()
    relay = Relay(["255.255.255.254:9", name(there)], OWN)  # class E: no route anywhere
    relay.send(b"x")
    assert there.recv(10) == b"x"
    assert counts(relay)[1] == (1, 0)
    relay.close()


def test_no_targets_is_no_relay():
    relay = Relay([], ("nonsense", 1))
    relay.send(b"x")
    assert relay.as_list() == []


@pytest.mark.parametrize(
    "target",
    ["127.0.0.1", "127.0.0.1:", ":20778", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", "::1:20778", "[::1]", "",
     "no-such-host.invalid:20778", "127.0.0.1:²"],
)  # fmt: skip
def test_what_is_no_target_is_refused(target):
    with pytest.raises(RelayError) as refused:
        Relay([target], OWN)
    assert refused.value.reason == "relay_target"
    assert "PITLANE_RELAY" in refused.value.hint


@pytest.mark.parametrize(
    ("own", "target", "loops"),
    [
        ("127.0.0.1", "127.0.0.1:20777", True), ("127.0.0.1", "localhost:20777", True),
        ("localhost", "127.0.0.1:20777", True), ("127.0.0.1", "0.0.0.0:20777", True),
        ("0.0.0.0", "127.0.0.1:20777", True), ("0.0.0.0", "127.0.0.9:20777", True), ("0.0.0.0", "0.0.0.0:20777", True),
        ("::", "[::1]:20777", True), ("::", "[::ffff:127.0.0.1]:20777", True), ("::", "127.0.0.1:20777", True),
        ("0.0.0.0", "[::ffff:127.0.0.1]:20777", True),
        ("127.0.0.1", "127.0.0.1:20778", False), ("127.0.0.1", "127.0.0.2:20777", False),
        ("0.0.0.0", "192.0.2.1:20777", False), ("127.0.0.2", "0.0.0.0:20777", True),
    ],
)  # fmt: skip
def test_the_gateway_is_not_its_own_target(own, target, loops):
    if not loops:
        return Relay([target], (own, 20777)).close()
    with pytest.raises(RelayError) as refused:
        Relay([target], (own, 20777))
    assert refused.value.reason == "relay_loop"
