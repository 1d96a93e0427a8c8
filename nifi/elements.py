"""What a NiFi flow definition is made of, as the JSON that NiFi itself exports: processors, connections, labels, funnels.

Identifiers come from names, so the same flow gives the same file, and NiFi knows a component again when a newer
version of the flow replaces it (queued FlowFiles stay where their connection is).
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from nifi.definition import Json, identifier


class Bundle(NamedTuple):
    """The NAR that a processor comes from."""

    group: str
    artifact: str
    version: str


class Point(NamedTuple):
    """Canvas coordinates, x to the right and y downwards; of a component its upper left corner."""

    x: float
    y: float

    def json(self) -> Json:
        return {"x": float(self.x), "y": float(self.y)}


class Size(NamedTuple):
    width: float
    height: float


PROCESSOR = Size(352, 128)
FUNNEL = Size(48, 48)
CONNECTION_LABEL = Size(240, 48)


class Limit(NamedTuple):
    """Back pressure: a connection that holds so much stops the processor before it."""

    flow_files: int
    bytes: str


def processor(
    group: str,
    name: str,
    kind: str,
    bundle: Bundle,
    at: Point,
    properties: Mapping[str, str],
    *,
    dynamic: Iterable[str] = (),
    services: Iterable[str] = (),
    comments: str,
    terminated: Iterable[str] = (),
    penalty: str = "30 sec",
    pause: str = "1 sec",
    run_duration_ms: int = 0,
    tasks: int = 1,
) -> Json:
    """`dynamic`: properties that the type does not know. `services`: those whose value is a controller service's id.
    `terminated`: relationships whose FlowFiles end here. `pause`: NiFi's yield duration. `tasks`: at a time.
    """
    return {
        "identifier": identifier(group, name),
        "name": name,
        "type": kind,
        "bundle": bundle._asdict(),
        "position": at.json(),
        "properties": dict(properties),
        "propertyDescriptors": {key: _descriptor(key, dynamic=True) for key in dynamic}
        | {key: _descriptor(key, service=True) for key in services},
        "comments": comments,
        "style": {},
        "autoTerminatedRelationships": sorted(terminated),
        "penaltyDuration": penalty,
        "yieldDuration": pause,
        "runDurationMillis": run_duration_ms,
        "concurrentlySchedulableTaskCount": tasks,
        "schedulingPeriod": "0 sec",
        "schedulingStrategy": "TIMER_DRIVEN",
        "executionNode": "ALL",
        "bulletinLevel": "WARN",
        "scheduledState": "ENABLED",
        "retryCount": 10,
        "retriedRelationships": [],
        "backoffMechanism": "PENALIZE_FLOWFILE",
        "maxBackoffPeriod": "10 mins",
        "componentType": "PROCESSOR",
        "groupIdentifier": identifier(group),
    }


def controller_service(
    group: str,
    name: str,
    kind: str,
    bundle: Bundle,
    apis: Mapping[str, Bundle],
    properties: Mapping[str, str],
    *,
    sensitive: Iterable[str],
    comments: str,
) -> Json:
    """`apis`: what others know it as, and where each comes from. `sensitive`: properties that NiFi keeps encrypted."""
    return {
        "identifier": identifier(group, name),
        "name": name,
        "type": kind,
        "bundle": bundle._asdict(),
        "controllerServiceApis": [{"type": api, "bundle": bundle._asdict()} for api, bundle in apis.items()],
        "properties": dict(properties),
        "propertyDescriptors": {key: _descriptor(key, sensitive=True) for key in sensitive},
        "comments": comments,
        "scheduledState": "DISABLED",  # as NiFi exports one that is enabled, too
        "bulletinLevel": "WARN",
        "componentType": "CONTROLLER_SERVICE",
        "groupIdentifier": identifier(group),
    }


def _descriptor(name: str, *, dynamic: bool = False, service: bool = False, sensitive: bool = False) -> Json:
    return {
        "name": name,
        "displayName": name,
        "dynamic": dynamic,
        "identifiesControllerService": service,
        "sensitive": sensitive,
    }


def funnel(group: str, name: str, at: Point) -> Json:
    return {
        "identifier": identifier(group, name),
        "position": at.json(),
        "componentType": "FUNNEL",
        "groupIdentifier": identifier(group),
    }


def label(
    group: str, name: str, text: str, at: Point, size: Size, *, colour: str, font_px: int = 14, layer: int = 0
) -> Json:
    return {
        "identifier": identifier(group, "label", name),
        "label": text,
        "position": at.json(),
        "width": float(size.width),
        "height": float(size.height),
        "style": {"background-color": colour, "font-size": f"{font_px}px"},
        "zIndex": layer,
        "componentType": "LABEL",
        "groupIdentifier": identifier(group),
    }


def connection(
    group: str,
    source: Json,
    relationships: Iterable[str],
    destination: Json,
    limit: Limit,
    *,
    name: str = "",
    bends: Iterable[Point] = (),
    label_at: int = 0,
    layer: int = 0,
) -> Json:
    """`bends`: the centres of the line's corners; the connection's label sits on the one with index `label_at`."""
    selected = sorted(relationships)
    ends = (source["identifier"], destination["identifier"])
    return {
        "identifier": identifier(group, "connection", *ends, *selected),
        "name": name,
        "source": _end(group, source),
        "destination": _end(group, destination),
        "selectedRelationships": selected,
        "bends": [bend.json() for bend in bends],
        "labelIndex": label_at,
        "zIndex": layer,
        "backPressureObjectThreshold": limit.flow_files,
        "backPressureDataSizeThreshold": limit.bytes,
        "flowFileExpiration": "0 sec",
        "prioritizers": [],
        "loadBalanceStrategy": "DO_NOT_LOAD_BALANCE",
        "loadBalanceCompression": "DO_NOT_COMPRESS",
        "partitioningAttribute": "",
        "componentType": "CONNECTION",
        "groupIdentifier": identifier(group),
    }


def _end(group: str, component: Json) -> Json:
    end = {"id": component["identifier"], "type": component["componentType"], "groupId": identifier(group)}
    return end | {"name": component.get("name", "Funnel"), "comments": component.get("comments", "")}


def process_group(name: str, comments: str, parameter_context: str, parts: Mapping[str, list[Json]]) -> Json:
    return {
        "identifier": identifier(name),
        "name": name,
        "comments": comments,
        "position": Point(0, 0).json(),
        "parameterContextName": parameter_context,
        "processGroups": [],
        "remoteProcessGroups": [],
        "processors": [],
        "inputPorts": [],
        "outputPorts": [],
        "connections": [],
        "labels": [],
        "funnels": [],
        "controllerServices": [],
        "defaultFlowFileExpiration": "0 sec",
        "defaultBackPressureObjectThreshold": 10000,
        "defaultBackPressureDataSizeThreshold": "256 MB",
        "scheduledState": "ENABLED",
        "executionEngine": "INHERITED",
        "maxConcurrentTasks": 1,
        "statelessFlowTimeout": "1 min",
        "flowFileConcurrency": "UNBOUNDED",
        "flowFileOutboundPolicy": "STREAM_WHEN_AVAILABLE",
        "componentType": "PROCESS_GROUP",
        **parts,
    }


def parameter(name: str, value: str, description: str) -> Json:
    return {"name": name, "description": description, "sensitive": False, "provided": False, "value": value}


def sensitive_parameter(name: str, description: str) -> Json:
    """Its value is in no file: NiFi gets it when the flow is deployed, and keeps it encrypted."""
    return {"name": name, "description": description, "sensitive": True, "provided": False}


def definition(contents: Json, parameter_context: str, parameters: list[Json]) -> Json:
    context = {
        "name": parameter_context,
        "parameters": parameters,
        "inheritedParameterContexts": [],
        "componentType": "PARAMETER_CONTEXT",
    }
    return {
        "flowContents": contents,
        "externalControllerServices": {},
        "parameterContexts": {parameter_context: context},
        "parameterProviders": {},
        "flowEncodingVersion": "1.0",
    }
