"""What differs between two versions of the flow, in words written down by hand."""

import copy
import random
from typing import Any

import pytest

from nifi import repository
from nifi.difference import differences

FLOW = repository.read(1)


@pytest.fixture
def changed() -> dict[str, Any]:
    return copy.deepcopy(FLOW)


def member(flow: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    return next(each for each in flow["flowContents"][kind] if each.get("name") == name)


def told(*changes: tuple[str, ...]) -> list[dict[str, Any]]:
    names = ("component", "kind", "group", "change", "property", "old", "new")
    return [dict(zip(names, each, strict=True)) for each in changes]


def test_a_property_is_told_with_processor_old_and_new(changed):
    member(changed, "processors", "Publish to Kafka")["properties"]["FlowFiles per Batch"] = "100"
    assert differences(FLOW, changed) == told(
        ("Publish to Kafka", "processor", "", "changed", "FlowFiles per Batch", "200", "100")
    )


def test_a_property_goes_by_its_name_on_the_canvas_where_one_side_knows_it(changed):
    receive = member(changed, "processors", "Receive blocks")
    receive["properties"]["max-thread-pool-size"] = None
    receive["propertyDescriptors"]["max-thread-pool-size"] = {"displayName": "Maximum Thread Pool Size"}
    expected = ("Receive blocks", "processor", "", "changed", "Maximum Thread Pool Size", "16", None)
    assert differences(FLOW, changed) == told(expected)
    assert differences(changed, FLOW) == told((*expected[:5], None, "16"))


def test_settings_are_told_as_the_canvas_calls_them(changed):
    publish = member(changed, "processors", "Publish to Kafka")
    publish["concurrentlySchedulableTaskCount"] = 2
    publish["autoTerminatedRelationships"] = ["rejected", "success"]
    publish["scheduledState"] = "DISABLED"
    blocks = member(changed, "connections", "blocks")
    blocks["backPressureObjectThreshold"] = 5000
    blocks["name"] = ""
    changed["flowContents"]["comments"] = "Ours now"
    before = FLOW["flowContents"]["comments"]
    publishing = ("Publish to Kafka", "processor", "", "changed")
    connection = ("Receive blocks → Route by packet ID", "connection", "", "changed")
    assert differences(FLOW, changed) == told(
        ("f1-ingest", "group", "", "changed", "comments", before, "Ours now"),
        (*publishing, "terminated relationships", "success", "rejected, success"),
        (*publishing, "concurrent tasks", "1", "2"),
        (*publishing, "state", "ENABLED", "DISABLED"),
        (*connection, "back pressure (FlowFiles)", "2000", "5000"),
        (*connection, "name", "blocks", None),
    )


def test_what_came_and_went_is_told_once(changed):
    contents = changed["flowContents"]
    route = member(changed, "processors", "Route by packet ID")
    contents["processors"] = [each for each in contents["processors"] if each["name"] != "Publish dead letters"]
    contents["labels"] = contents["labels"][1:]
    contents["processGroups"] = [
        {"identifier": "inner", "name": "Damage", "processors": [{**route, "identifier": "x"}]}
    ]
    contents["connections"].append({
        "identifier": "new", "name": "", "selectedRelationships": ["car_damage"],
        "source": {"id": route["identifier"], "name": route["name"], "type": "PROCESSOR"},
        "destination": {"id": "f", "type": "FUNNEL"},
    })  # fmt: skip
    gone = FLOW["flowContents"]["labels"][0]["label"].split("\n")[0]
    assert differences(FLOW, changed) == told(
        ("Publish dead letters", "processor", "", "removed", "", "PublishBlocks", None),
        (
            "Route by packet ID → funnel", "connection", "", "added", "", None,
            "car_damage: Route by packet ID → funnel",
        ),
        (gone, "label", "", "removed", "", None, None),
        ("Damage", "group", "", "added", "", None, None),
    )  # fmt: skip


def test_a_change_in_an_inner_group_says_in_which(changed):
    route = member(changed, "processors", "Route by packet ID")
    inner = {"identifier": "i", "name": "Inner", "processors": [{**route, "identifier": "x"}]}
    changed["flowContents"]["processGroups"] = [{"identifier": "o", "name": "Outer", "processGroups": [inner]}]
    after = copy.deepcopy(changed)
    after["flowContents"]["processGroups"][0]["processGroups"][0]["processors"][0]["yieldDuration"] = "3 sec"
    assert differences(changed, after) == told(
        ("Route by packet ID", "processor", "Outer / Inner", "changed", "yield duration", "1 sec", "3 sec")
    )


def test_moves_are_one_line_each(changed):
    publish = member(changed, "processors", "Publish to Kafka")
    publish["position"] = {"x": 10.0, "y": -20.5}
    before = next(each for each in FLOW["flowContents"]["processors"] if each["name"] == "Publish to Kafka")["position"]
    member(changed, "connections", "blocks")["bends"] = [{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 4.0}]
    assert differences(FLOW, changed) == told(
        (
            "Publish to Kafka", "processor", "", "moved", "position", f"{before['x']:g}, {before['y']:g}", "10, -20.5",
        ),
        ("blocks", "connection", "", "moved", "bends", None, "1, 2; 3, 4"),
    )  # fmt: skip


def test_a_service_goes_by_its_name(changed):
    before = copy.deepcopy(changed)
    service = {"identifier": "0f1e", "name": "TLS for blocks", "type": "org.example.Tls", "scheduledState": "ENABLED"}
    for flow in (before, changed):
        flow["flowContents"]["controllerServices"] = [dict(service)]
        member(flow, "processors", "Receive blocks")["properties"]["SSL Context Service"] = "0f1e"
    changed["flowContents"]["controllerServices"][0]["scheduledState"] = "DISABLED"
    del member(changed, "processors", "Receive blocks")["properties"]["SSL Context Service"]
    assert differences(before, changed) == told(
        ("Receive blocks", "processor", "", "changed", "SSL Context Service", "TLS for blocks", None)
    )


def test_what_only_one_nifi_knows_is_no_difference(changed):
    contents = changed["flowContents"]
    contents |= {"name": "second", "position": {"x": 7.0, "y": 8.0}, "identifier": "of another group"}
    for kind in ("processors", "connections", "labels", "funnels"):
        random.Random(7).shuffle(contents[kind])
        for each in contents[kind]:
            each |= {"groupIdentifier": "of another group", "instanceIdentifier": "here only", "labelIndex": 0}
    for processor in contents["processors"]:
        processor["scheduledState"] = "RUNNING"
        processor["bundle"] = {**processor["bundle"], "version": "2.4.0"}
    for each in changed["parameterContexts"]["f1-ingest"]["parameters"]:
        each["value"] = "of this place"
    assert differences(FLOW, changed) == []


def test_between_versions_parameters_and_nars_are_told_too(changed):
    parameters = changed["parameterContexts"]["f1-ingest"]["parameters"]
    by_name = {each["name"]: each for each in parameters}
    by_name["topic.prefix"]["value"] = "race"
    parameters.remove(by_name["listen.path"])
    parameters.append({"name": "secret", "sensitive": True, "description": "Kept by NiFi", "provided": False})
    for processor in changed["flowContents"]["processors"]:
        if processor["name"] == "Publish to Kafka":
            processor["bundle"]["version"] = "0.2.0"
    assert differences(FLOW, changed, of_places=True) == told(
        (
            "Publish to Kafka", "processor", "", "changed", "NAR", "pitlane-nifi-nar 0.1.0", "pitlane-nifi-nar 0.2.0",
        ),
        ("listen.path", "parameter", "", "removed", "", "blocks", None),
        ("secret", "parameter", "", "added", "", None, None),
        ("topic.prefix", "parameter", "", "changed", "value", "f1", "race"),
    )  # fmt: skip
