"""A flow definition as a file: NiFi's own export in one stable form, without what only one running NiFi knows.

NiFi exports lists in any order, its own instance ids, and for each property a description that it knows anyway. What
is left here is the flow: two files are equal when the flows are, and `git diff` shows what a person changed. It is the
form in which the registry client of our NAR (StableFlow.java) writes versions.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Json = dict[str, Any]

# Known to one NiFi only, or told twice.
_NOISE = frozenset({
    "instanceIdentifier", "instanceGroupId", "latest", "bucket", "flow", "versionedFlowCoordinates",
})  # fmt: skip
# What a connection repeats of the component at its end.
_ENDS = frozenset({"source", "destination"})
_REPEATED = frozenset({"comments"})
# Lists whose order means nothing, and the key that orders them: none that a new name would move.
_SORTED = {
    **dict.fromkeys((
        "processors", "connections", "labels", "funnels", "inputPorts", "outputPorts", "controllerServices",
        "processGroups", "remoteProcessGroups",
    ), "identifier"),
    "parameters": "name", "controllerServiceApis": "type",
    **dict.fromkeys(("autoTerminatedRelationships", "retriedRelationships", "selectedRelationships"), ""),
}  # fmt: skip


def normal(definition: Json) -> Json:
    """The definition in stable form. NiFi takes it as it took the first.

    Where the group lies on the canvas around it is not the flow's matter.
    """
    stable: Json = _normal(definition, "")
    stable["flowContents"]["position"] = {"x": 0.0, "y": 0.0}
    return stable


def as_of(definition: Json, version: Json) -> Json:
    """The definition with what each place decides for itself as it is in `version`: the outermost group's id and name,
    which NiFi gives anew each time that it is deployed, and the values of the parameters that `version` has.
    """
    here, there = (flow["flowContents"] for flow in (definition, version))
    moved: Json = json.loads(json.dumps(definition).replace(here["identifier"], there["identifier"]))
    moved["flowContents"]["name"] = there["name"]
    return with_parameters(moved, parameters(version))


def _normal(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        if "propertyDescriptors" in value:
            value = {**value, "propertyDescriptors": _needed_descriptors(value)}
        noise = _NOISE | _REPEATED if key in _ENDS else _NOISE
        kept = {name: member for name, member in value.items() if name not in noise and member is not None}
        return {name: _normal(member, name) for name, member in sorted(kept.items())}
    if isinstance(value, list):
        members = [_normal(member, "") for member in value]
        if key in _SORTED:
            members.sort(key=lambda member: member[_SORTED[key]] if _SORTED[key] else member)
        return members
    return value


def _needed_descriptors(component: Json) -> Json:
    """Those that a NiFi which imports the flow cannot know by itself: of dynamic properties and of references in use."""
    return {
        name: descriptor
        for name, descriptor in component["propertyDescriptors"].items()
        if component["properties"].get(name) is not None
        and (descriptor["dynamic"] or descriptor["sensitive"] or descriptor["identifiesControllerService"])
    }


def text(definition: Json) -> str:
    return json.dumps(normal(definition), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def read(path: Path) -> Json:
    loaded: Json = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def parameters(definition: Json) -> dict[str, str]:
    """Name → value of all parameters; a sensitive one has no value in a definition."""
    return {
        parameter["name"]: parameter.get("value", "")
        for context in definition["parameterContexts"].values()
        for parameter in context["parameters"]
    }


def topics(definition: Json, prefix: str) -> set[str]:
    """Those that a publisher of the flow names as they are, whatever it publishes: of dead letters and of branches."""
    named = {each["properties"].get("Topic") or "" for each in _processors(definition["flowContents"])}
    filled = {name.replace("#{topic.prefix}", prefix) for name in named}
    return {name for name in filled if name and "${" not in name and "#{" not in name}


def _processors(contents: Json) -> Iterator[Json]:
    yield from contents["processors"]
    for group in contents["processGroups"]:
        yield from _processors(group)


def with_parameters(definition: Json, values: Mapping[str, str]) -> Json:
    """A copy whose parameters have these values; one that is not named keeps its own, a sensitive one has none."""
    contexts = {
        name: {
            **context,
            "parameters": [
                {**parameter, "value": values[parameter["name"]]}
                if parameter["name"] in values and not parameter["sensitive"]
                else parameter
                for parameter in context["parameters"]
            ],
        }
        for name, context in definition["parameterContexts"].items()
    }
    return {**definition, "parameterContexts": contexts}
