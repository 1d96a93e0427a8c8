"""Queries to the gateway's WebSocket, as the plugin golioth-websocket-datasource reads them.

The SDK knows Grafana's own data sources only, so this one is described here and registered with it. A query names a
path (no leading slash, or the plugin finds no channel for it) and the fields to take out of each message by JSONPath.
`type` is always given: the plugin's own guess fails on a field that is null in the first message.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.runtime import DataqueryConfig, register_dataquery_variant
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from udp_gateway.message import FIELDS

PLUGIN = "golioth-websocket-datasource"
DATASOURCE = DataSourceRef(type_val=PLUGIN, uid="pitlane-live")

TIME = "ts"
GRAFANA_TYPES = {"integer": "number", "number": "number", "string": "string"}
"""JSON type of a live field → Grafana's field type; `ts` is a time."""

_FIELDS = {field.name: field for field in FIELDS}


def field_type(name: str) -> str:
    """Grafana's type of a field of the live message; raises KeyError for a field that it does not have."""
    return "time" if name == TIME else GRAFANA_TYPES[_FIELDS[name].type]


@dataclass(frozen=True)
class Query(Dataquery):
    """One stream and what to take out of it: `fields` maps names in the live message to names on the panel."""

    path: str
    fields: Mapping[str, str]
    ref_id: str = "A"

    def to_json(self) -> dict[str, object]:
        return {
            "refId": self.ref_id,
            "datasource": DATASOURCE.to_json(),
            "path": self.path,
            "withStreaming": True,
            "fields": [
                {"name": label, "jsonPath": f"$.{name}", "type": field_type(name), "language": "jsonpath"}
                for name, label in self.fields.items()
            ],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        fields = {field["jsonPath"].removeprefix("$."): field["name"] for field in data["fields"]}
        return cls(data["path"], fields, data["refId"])


@dataclass(frozen=True)
class Stream(Builder[Dataquery]):
    path: str
    fields: Mapping[str, str]

    def build(self) -> Query:
        return Query(self.path, {TIME: "Time", **self.fields})


register_dataquery_variant(DataqueryConfig(identifier=PLUGIN, from_json_hook=Query.from_json))
