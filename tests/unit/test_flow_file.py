"""The newest version of the flow against the packets, and the stable form of a definition."""

import json
import random
import re
from itertools import combinations
from typing import Any

import pytest

from f1_packets import PACKET_NAMES
from nifi import definition, parameters, repository
from pitlane import topics
from pitlane.settings import NifiSettings

FLOW = repository.read(repository.newest())
CONTENTS = FLOW["flowContents"]
PROCESSORS = {processor["name"]: processor for processor in CONTENTS["processors"]}


# As NiFi draws them: width and height.
PROCESSOR, FUNNEL, CONNECTION_LABEL = (352, 128), (48, 48), (240, 48)


@pytest.mark.parametrize("number", repository.numbers())
def test_every_version_is_in_stable_form_and_says_what_it_is(number: int) -> None:
    flow = repository.read(number)
    assert repository.path(number).read_text(encoding="utf-8") == definition.text(flow)
    assert flow["snapshotMetadata"]["version"] == str(number)
    assert flow["snapshotMetadata"]["comments"]


def test_every_packet_has_a_route_a_connection_and_a_topic() -> None:
    router, publisher = PROCESSORS["Route by packet ID"], PROCESSORS["Publish to Kafka"]
    rules = {name: rule for name, rule in router["properties"].items() if name != "Routing Strategy"}
    assert rules == {name: f"${{packet.id:equals('{number}')}}" for number, name in PACKET_NAMES.items()}

    routes = {
        connection["name"]: connection
        for connection in CONTENTS["connections"]
        if connection["source"]["name"] == router["name"] and connection["destination"]["name"] == publisher["name"]
    }
    assert set(routes) == set(PACKET_NAMES.values())
    for name, connection in routes.items():
        assert connection["selectedRelationships"] == [name]
        topic = (
            publisher["properties"]["Topic"].replace("#{topic.prefix}", "f1").replace("${RouteOnAttribute.Route}", name)
        )
        assert topic == topics.topic(name)
    dead = PROCESSORS["Publish dead letters"]["properties"]["Topic"]
    assert dead.replace("#{topic.prefix}", "f1") == topics.dead_letter()


def test_no_relationship_is_left_open() -> None:
    told = {
        "Receive blocks": {"success"},
        "Route by packet ID": {*PACKET_NAMES.values(), "unmatched"},
        "Publish to Kafka": {"success", "rejected"},
        "Say why": {"success"},
        "Publish dead letters": {"success", "rejected"},
    }
    assert set(told) == set(PROCESSORS)
    for name, relationships in told.items():
        connected = [
            relationship
            for connection in CONTENTS["connections"]
            if connection["source"]["name"] == name
            for relationship in connection["selectedRelationships"]
        ]
        assert sorted([*connected, *PROCESSORS[name]["autoTerminatedRelationships"]]) == sorted(relationships)


def test_every_setting_has_a_parameter_and_every_processor_says_what_it_is_for() -> None:
    settings = NifiSettings.model_construct(kafka_bootstrap="k:1", nifi_listen_port=7)
    values, secrets = parameters.parameter_values(settings), parameters.sensitive_values(settings)
    assert definition.parameters(FLOW).keys() == values.keys() | secrets.keys()
    assert (values["kafka.bootstrap"], values["listen.port"]) == ("k:1", "7")
    text = json.dumps(CONTENTS)
    for name in values.keys() | secrets.keys():
        assert f"#{{{name}}}" in text
    assert all(len(processor["comments"]) > 40 for processor in PROCESSORS.values())


def test_what_is_secret_is_sensitive_and_has_no_value() -> None:
    (context,) = FLOW["parameterContexts"].values()
    secrets = parameters.sensitive_values(NifiSettings.model_construct())
    for parameter in context["parameters"]:
        assert parameter["sensitive"] == (parameter["name"] in secrets), parameter
        assert ("value" in parameter) == (not parameter["sensitive"])
    for service in CONTENTS["controllerServices"]:
        for name, value in service["properties"].items():
            sensitive = service["propertyDescriptors"].get(name, {}).get("sensitive", False)
            assert sensitive == ("assword" in name), name
            assert not sensitive or value.startswith("#{"), "a reference, never a value"


def test_blocks_are_taken_only_with_the_gateways_certificate() -> None:
    receive = PROCESSORS["Receive blocks"]["properties"]
    (tls,) = CONTENTS["controllerServices"]
    assert receive["SSL Context Service"] == tls["identifier"]
    assert receive["client-authentication"] == "REQUIRED"
    sender = receive["Authorized DN Pattern"].replace("#{tls.sender}", definition.parameters(FLOW)["tls.sender"])
    for role in ("gateway", "operator", "nifi"):
        assert bool(re.fullmatch(sender, f"CN={role}")) == (role == "gateway")


def test_nothing_on_the_canvas_lies_on_something_else() -> None:
    boxes: list[tuple[str, float, float, float, float]] = []
    for kind, size in (("processors", PROCESSOR), ("funnels", FUNNEL)):
        for component in CONTENTS[kind]:
            x, y = component["position"]["x"], component["position"]["y"]
            boxes.append((component.get("name", kind), x, y, x + size[0], y + size[1]))
    for connection in CONTENTS["connections"]:
        if connection["bends"]:
            centre = connection["bends"][connection["labelIndex"]]
            half_width, half_height = CONNECTION_LABEL[0] / 2, CONNECTION_LABEL[1] / 2
            x, y = centre["x"], centre["y"]
            boxes.append((connection["name"], x - half_width, y - half_height, x + half_width, y + half_height))
    for (one, left, top, right, bottom), (other, left2, top2, right2, bottom2) in combinations(boxes, 2):
        apart = right <= left2 or right2 <= left or bottom <= top2 or bottom2 <= top
        assert apart, f"{one} and {other} overlap"


def test_the_stable_form_ignores_order_and_what_only_one_nifi_knows() -> None:
    def disturbed(value: Any, chance: random.Random, key: str = "") -> Any:
        """As another NiFi might export it: other order, instance ids, nulls, its own descriptions of properties."""
        if isinstance(value, dict):
            members = [(name, disturbed(member, chance, name)) for name, member in value.items()]
            chance.shuffle(members)
            if key == "propertyDescriptors":
                told = {"name": "x", "dynamic": False, "sensitive": False, "identifiesControllerService": True}
                members.append(("Known to every NiFi", told))
            elif key not in ("properties", "style", "parameterContexts"):
                members += [("instanceIdentifier", str(chance.random())), ("prioritizer", None)]
            return dict(members)
        if isinstance(value, list):
            members = [disturbed(member, chance) for member in value]
            if key != "bends":
                chance.shuffle(members)
            return members
        return value

    for seed in range(20):
        exported = disturbed(FLOW, random.Random(seed))
        group = exported["flowContents"]["identifier"]
        exported = json.loads(json.dumps(exported).replace(group, f"another-id-{seed}"))
        exported["flowContents"] |= {"position": {"x": 400.0, "y": -20.0}, "name": "another name"}
        exported = definition.with_parameters(exported, {"topic.prefix": "race"})
        assert definition.text(definition.as_of(exported, FLOW)) == definition.text(FLOW)


@pytest.mark.parametrize(
    "path", [("processors", 0, "yieldDuration"), ("connections", 3, "backPressureObjectThreshold")]
)
def test_the_stable_form_keeps_what_a_person_changes(path: tuple[str, int, str]) -> None:
    kind, index, member = path
    changed = json.loads(json.dumps(FLOW))
    changed["flowContents"][kind][index][member] = "7 sec"
    assert definition.text(changed) != definition.text(FLOW)


def test_parameters_are_replaced_in_a_copy() -> None:
    before = definition.text(FLOW)
    changed = definition.with_parameters(FLOW, {"topic.prefix": "race"})
    assert definition.parameters(changed) == definition.parameters(FLOW) | {"topic.prefix": "race"}
    assert definition.text(FLOW) == before
