"""A flow definition as a file: NiFi's own export in one stable form, without what only one running NiFi knows.

NiFi exports lists in any order, its own instance ids, and for each property a description that it knows anyway. What
is left here is the flow: two files are equal when the flows are, and `git diff` shows what a person changed.
"""

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Json = dict[str, Any]

# Known to one NiFi only, or told twice.
_NOISE = frozenset({
    "instanceIdentifier", "instanceGroupId", "latest", "snapshotMetadata", "bucket", "flow", "versionedFlowCoordinates",
})  # fmt: skip
# Lists whose order means nothing, and the key that orders them.
_SORTED = {
    "processors": "name", "connections": "identifier", "labels": "identifier", "funnels": "identifier",
    "inputPorts": "name", "outputPorts": "name", "controllerServices": "name", "processGroups": "name",
    "remoteProcessGroups": "identifier", "parameters": "name", "controllerServiceApis": "type",
    "autoTerminatedRelationships": "", "retriedRelationships": "", "selectedRelationships": "",
}  # fmt: skip


_NAMESPACE = uuid.UUID("5f3c2a52-5d2c-5c55-9a1e-6f1c0f1b0001")


def identifier(*names: str) -> str:
    """The id of what these names lead to, the process group's first: the same in every NiFi."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(names)))


def normal(definition: Json) -> Json:
    """The definition in stable form. NiFi takes it as it took the first.

    NiFi gives the outermost group an id of its own each time that it is deployed; here that is made from its name.
    Where the group lies on the canvas around it is not the flow's matter.
    """
    group = definition["flowContents"]
    told = json.dumps(definition).replace(group["identifier"], identifier(group["name"]))
    stable: Json = _normal(json.loads(told), "")
    stable["flowContents"]["position"] = {"x": 0.0, "y": 0.0}
    return stable


def _normal(value: Any, key: str) -> Any:
    if isinstance(value, dict):
        if "propertyDescriptors" in value:
            value = {**value, "propertyDescriptors": _needed_descriptors(value)}
        kept = {name: member for name, member in value.items() if name not in _NOISE and member is not None}
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
