"""What differs between two definitions of a flow, in words: which component, which property, old and new.

NiFi compares flows as well, and what it calls a difference is one here, so that these words and the badge on its canvas
agree. But it does not say which property of a processor has which value, and that is what a person asks.

No difference, here as there: whether something runs, and the outermost group's own id, name and place on the canvas
around it. What is expected to differ from NiFi to NiFi (versions of NARs, parameters) is left out unless asked for.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from nifi.definition import Json

Change = dict[str, Any]
"""{"component": name, "kind": "processor" …, "group": name of the group within the flow or "", "change": "added",
"removed", "changed" or "moved", "property": what, "old": value, "new": value}; values are text, None for none."""

# Lists of a group → what one of their members is.
_KINDS = {
    "processors": "processor",
    "controllerServices": "controller service",
    "connections": "connection",
    "inputPorts": "input port",
    "outputPorts": "output port",
    "funnels": "funnel",
    "labels": "label",
    "processGroups": "group",
    "remoteProcessGroups": "remote group",
}
# Members of a component that are no difference, or are told in a way of their own.
_UNTOLD = frozenset({
    "identifier", "instanceIdentifier", "groupIdentifier", "instanceGroupId", "componentType", "labelIndex",
    "propertyDescriptors", "properties", "position", "bends", "versionedFlowCoordinates", "parameterContextName",
    "logFileSuffix", "controllerServiceApis", *_KINDS,
})  # fmt: skip
_OF_PLACES = frozenset({"bundle"})
# Run states: each one as good as the others.
_RUNNING = frozenset({"ENABLED", "RUNNING", "STOPPED"})
# As the canvas says it, where NiFi's own name is not that in other letters.
_WORDS = {
    "concurrentlySchedulableTaskCount": "concurrent tasks",
    "schedulingPeriod": "run schedule",
    "executionNode": "execution",
    "runDurationMillis": "run duration (ms)",
    "autoTerminatedRelationships": "terminated relationships",
    "backPressureObjectThreshold": "back pressure (FlowFiles)",
    "backPressureDataSizeThreshold": "back pressure (size)",
    "selectedRelationships": "relationships",
    "flowFileExpiration": "FlowFile expiration",
    "flowFileConcurrency": "FlowFile concurrency",
    "flowFileOutboundPolicy": "FlowFile outbound policy",
    "defaultFlowFileExpiration": "default FlowFile expiration",
    "defaultBackPressureObjectThreshold": "default back pressure (FlowFiles)",
    "defaultBackPressureDataSizeThreshold": "default back pressure (size)",
    "zIndex": "layer",
    "label": "text",
    "bundle": "NAR",
    "scheduledState": "state",
}


def differences(old: Json, new: Json, *, of_places: bool = False) -> list[Change]:
    """What leads from `old` to `new`, in the order of groups, kinds and names.

    `of_places`: also what is expected to differ from NiFi to NiFi.
    """
    ignored = _UNTOLD if of_places else _UNTOLD | _OF_PLACES
    found = list(_own(old["flowContents"], new["flowContents"], "group", "", ignored | {"name"}))
    found += _within(old["flowContents"], new["flowContents"], "", ignored)
    if of_places:
        found += _parameters(old, new)
    services = _services(old["flowContents"]) | _services(new["flowContents"])
    return [{**each, **{side: services.get(each[side], each[side]) for side in ("old", "new")}} for each in found]


def _services(group: Json) -> dict[str | None, str]:
    """Id → name of every controller service: a property that uses one holds its id."""
    found: dict[str | None, str] = {each["identifier"]: each["name"] for each in group.get("controllerServices") or ()}
    for inner in group.get("processGroups") or ():
        found |= _services(inner)
    return found


def _within(old: Json, new: Json, group: str, ignored: frozenset[str]) -> Iterator[Change]:
    """The members of a group, and of its groups."""
    for kind, title in _KINDS.items():
        before, after = _by_id(old.get(kind)), _by_id(new.get(kind))
        for key in sorted(before | after, key=lambda key: (_name(after.get(key) or before[key]), key)):
            if key not in after:
                yield _change(before[key], title, group, "removed", old=_what(before[key]))
            elif key not in before:
                yield _change(after[key], title, group, "added", new=_what(after[key]))
            else:
                yield from _own(before[key], after[key], title, group, ignored)
                yield from _moved(before[key], after[key], title, group)
                if kind == "processGroups":
                    name = after[key]["name"]
                    yield from _within(before[key], after[key], f"{group} / {name}" if group else name, ignored)


def _own(old: Json, new: Json, kind: str, group: str, ignored: frozenset[str]) -> Iterator[Change]:
    """What is set at a component itself."""
    for key in sorted((old.keys() | new.keys()) - ignored):
        before, after = old.get(key), new.get(key)
        if key in ("source", "destination"):
            same = before is not None and after is not None and before["id"] == after["id"]
        elif key == "scheduledState":
            same = (
                kind == "controller service" or before == after or {before or "ENABLED", after or "ENABLED"} <= _RUNNING
            )
        else:
            same = before == after or (not before and not after and not _is_number(before) and not _is_number(after))
        if not same:
            yield _change(new, kind, group, "changed", _words(key), _text(before), _text(after))
    before, after = old.get("properties") or {}, new.get("properties") or {}
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            title = _title(key, old, new)
            yield _change(new, kind, group, "changed", title, before.get(key), after.get(key))


def _moved(old: Json, new: Json, kind: str, group: str) -> Iterator[Change]:
    for key, told in (("position", _point), ("bends", _line)):
        before, after = old.get(key), new.get(key)
        if (before or []) != (after or []):
            yield _change(new, kind, group, "moved", _words(key), told(before), told(after))


def _parameters(old: Json, new: Json) -> Iterator[Change]:
    before, after = _values(old), _values(new)
    for name in sorted(before | after):
        component = {"name": name}
        if name not in after:
            yield _change(component, "parameter", "", "removed", old=_text(before[name].get("value")))
        elif name not in before:
            yield _change(component, "parameter", "", "added", new=_text(after[name].get("value")))
        else:
            yield from _own(before[name], after[name], "parameter", "", frozenset({"name", "provided"}))


def _values(flow: Json) -> dict[str, Json]:
    contexts = (flow.get("parameterContexts") or {}).values()
    return {parameter["name"]: parameter for context in contexts for parameter in context["parameters"]}


def _by_id(members: Iterable[Json] | None) -> dict[str, Json]:
    return {member["identifier"]: member for member in members or ()}


def _change(
    component: Json, kind: str, group: str, change: str, what: str = "", old: str | None = None, new: str | None = None
) -> Change:
    return {
        "component": _name(component),
        "kind": kind,
        "group": group,
        "change": change,
        "property": what,
        "old": old,
        "new": new,
    }


def _name(component: Json) -> str:
    """What a person would call it; most connections and all labels have no name of their own."""
    if name := component.get("name"):
        return str(name)
    if "source" in component:
        return f"{_end(component['source'])} → {_end(component['destination'])}"
    if "label" in component:
        return str(component["label"]).partition("\n")[0]
    return str(component.get("componentType", "")).lower()


def _end(end: Json) -> str:
    return str(end.get("name") or end["type"].replace("_", " ").lower())


def _what(component: Json) -> str | None:
    """Of what type a component is that came or went, or what a connection carries where."""
    if kind := component.get("type"):
        return str(kind).rpartition(".")[2]
    if "source" in component:
        ends = f"{_end(component['source'])} → {_end(component['destination'])}"
        return f"{', '.join(component.get('selectedRelationships') or ())}: {ends}"
    return None


def _title(key: str, *components: Json) -> str:
    """A property's name on the canvas, where one of the definitions tells it."""
    for component in components:
        if title := ((component.get("propertyDescriptors") or {}).get(key) or {}).get("displayName"):
            return str(title)
    return key


def _words(key: str) -> str:
    return _WORDS.get(key) or "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in key)


def _text(value: Any) -> str | None:
    """A value in one line of text; an empty one is none."""
    if value is None or value in ("", [], {}):
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        if "id" in value:
            return _end(value)
        if "artifact" in value:
            return f"{value['artifact']} {value['version']}"
        return ", ".join(f"{name} {_text(member)}" for name, member in sorted(value.items()))
    if isinstance(value, list):
        return ", ".join(str(_text(member)) for member in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _point(value: Json | None) -> str | None:
    return f"{value['x']:g}, {value['y']:g}" if value else None


def _line(value: list[Json] | None) -> str | None:
    return "; ".join(str(_point(point)) for point in value) if value else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)
