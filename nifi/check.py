"""Whether the flow does what it is for: deployed, verified, fed with every packet, and still what the repository says.

`pitlane flow check` runs this on a NiFi and a Kafka that it starts and throws away, in CI as well.
"""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from kafka import KafkaAdminClient

from nifi import connection, definition, repository
from nifi.delivery import deliver
from nifi.deploy import deploy
from nifi.diff import diff
from nifi.errors import FlowError
from nifi.probes import probes, unknown
from nifi.start import blocks_url, start
from nifi.status import status
from nifi.verify import verify
from pitlane import topic_setup
from pitlane.settings import NifiSettings

WITHIN_S = 20
POLL_S = 0.5


class Finding(NamedTuple):
    step: str
    told: str
    """What was found, in a few words."""
    problems: list[str]
    """Empty when all is well."""


def check(settings: NifiSettings, *, running: bool = False) -> Iterator[Finding]:
    """Each finding as soon as it is there; a step that cannot be done is the last one.

    On an empty NiFi and a Kafka, which gets the topics that are missing. With `running`: of the flow that runs there
    already; nothing of it is deployed or started, and it need not be at rest.
    """
    for step in AS_IT_RUNS if running else FROM_NOTHING:
        name = step.__name__.strip("_").replace("_", " ")
        try:
            told, problems = step(settings)
        except FlowError as error:
            yield Finding(name, "not done", [f"{error}{f' ({error.hint})' if error.hint else ''}"])
            return
        yield Finding(name, told, problems)


def _deployed(settings: NifiSettings) -> tuple[str, list[str]]:
    done = deploy(settings, start=False)
    _create_topics(settings, done["version"])
    return f"version {done['version']} in NiFi {done['nifi']}", []


def _verified(settings: NifiSettings) -> tuple[str, list[str]]:
    done = verify(settings)
    problems = [f"{each['component']}: {problem}" for each in done["failed"] for problem in each["problems"]]
    return f"{done['verified']} parts by NiFi itself; {done['running']} others run", problems


def _started(settings: NifiSettings) -> tuple[str, list[str]]:
    done = start(settings)
    return f"{done['processors']} processors; blocks are received at {done['blocks_url']}", []


def _published(settings: NifiSettings) -> tuple[str, list[str]]:
    sent = probes(settings.shards, settings.topic_prefix)
    problems = deliver(settings, _url(settings), sent)
    return f"{len(sent) - len(problems)} of {len(sent)} packets arrive in their topics, byte for byte", problems


def _set_aside(settings: NifiSettings) -> tuple[str, list[str]]:
    probe = unknown(settings.topic_prefix)
    return f"what no route wants is a dead letter in {probe.topic}", deliver(settings, _url(settings), [probe])


def _unchanged(settings: NifiSettings) -> tuple[str, list[str]]:
    found = diff(settings)
    problems = []
    for each in found["changes"]:
        what = f"{each['component']} ({each['kind']}) {each['change']}"
        values = f": {each['property']}: {each['old']} → {each['new']}" if each["change"] == "changed" else ""
        problems.append(what + values)
    return f"the canvas against version {found['old']} of the repository", problems


def _at_rest(settings: NifiSettings) -> tuple[str, list[str]]:
    deadline = time.monotonic() + WITHIN_S  # what was published went on along branches as well
    while (found := status(settings))["queues"] and time.monotonic() < deadline:
        time.sleep(POLL_S)
    problems = [f"{queue['name']}: {queue['queued']} wait" for queue in found["queues"]]
    problems += [f"{each['source']}: {each['message']}" for each in found["bulletins"] if each["level"] == "ERROR"]
    return "nothing waits, and no processor reported an error", problems


def _create_topics(settings: NifiSettings, version: int) -> None:
    """Those of branches too: a Kafka of its own has nobody who made them."""
    branches = definition.topics(repository.read(version, repository.folder(settings)), settings.topic_prefix)
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    try:
        topic_setup.create(admin, settings.shards, settings.topic_prefix, branches)
    finally:
        admin.close()


def _url(settings: NifiSettings) -> str:
    with connection.to(settings) as nifi:
        return blocks_url(nifi.host, settings)


Step = Callable[[NifiSettings], tuple[str, list[str]]]
FROM_NOTHING: tuple[Step, ...] = (_deployed, _verified, _started, _published, _set_aside, _unchanged, _at_rest)
AS_IT_RUNS: tuple[Step, ...] = (_verified, _published, _unchanged)
