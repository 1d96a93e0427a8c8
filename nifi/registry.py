"""NiFi's registry client for the folder of versions, which our NAR brings along."""

from nipyapi import versioning
from nipyapi.nifi import FlowApi

from nifi.connection import Entity
from nifi.repository import BUCKET, FLOW
from pitlane.settings import NifiSettings

NAME = "pitlane"
TYPE = "io.pitlane.nifi.FolderFlowRegistryClient"
FOLDER_PROPERTY = "Directory"
DESCRIPTION = "Versions of flows in a folder of the repository"


def ensure(settings: NifiSettings) -> str:
    """The id of the registry client, which is made or pointed at `settings.nifi_flows` where it is not."""
    properties = {FOLDER_PROPERTY: str(settings.nifi_flows)}
    found = _find()
    if found is None:
        found = versioning.create_registry_client(NAME, description=DESCRIPTION, reg_type=TYPE, properties=properties)
    elif found.component.properties != properties:
        found = versioning.update_registry_client(found, properties)
    client_id: str = found.id
    return client_id


def versions(client_id: str) -> list[int]:
    """The flow's versions that NiFi finds in its folder, in order."""
    answer = FlowApi().get_versions(registry_id=client_id, bucket_id=BUCKET, flow_id=FLOW)
    told = answer.versioned_flow_snapshot_metadata_set or ()
    return sorted(int(each.versioned_flow_snapshot_metadata.version) for each in told)


def _find() -> Entity | None:
    clients = versioning.list_registry_clients().registries or ()
    return next((each for each in clients if each.component.name == NAME), None)
