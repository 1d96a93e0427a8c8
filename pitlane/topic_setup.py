"""Creates the topics: `python -m pitlane.topic_setup`. A second run changes nothing."""

from collections.abc import Iterable

from kafka import KafkaAdminClient

from pitlane import topics
from pitlane.settings import KafkaSettings


def create(admin: KafkaAdminClient, shards: int, prefix: str = "f1", more: Iterable[str] = ()) -> list[str]:
    """Creates what is missing of Pitlane's topics and of `more`, with a partition for each shard; returns all names.

    A topic that has fewer partitions gets more; one that has more keeps them, since Kafka cannot take any away.
    """
    wanted = list(dict.fromkeys((*topics.own_topics(prefix), *more)))
    there = set(admin.list_topics())
    missing = {name: {"num_partitions": shards, "replication_factor": 1} for name in wanted if name not in there}
    if missing:
        admin.create_topics(missing, wait_for_metadata=True)
    described = admin.describe_topics([name for name in wanted if name in there])
    narrow = {topic["name"]: shards for topic in described if len(topic["partitions"]) < shards}
    if narrow:
        admin.create_partitions(narrow)
    return wanted


def main() -> None:
    settings = KafkaSettings()
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    try:
        names = create(admin, settings.shards, settings.topic_prefix)
    finally:
        admin.close()
    print(f"{len(names)} topics are there")


if __name__ == "__main__":
    main()
