"""From Kafka to Postgres: one Spark application that decodes blocks, joins frames and writes the facts.

Everything that decides something is a pure function in `spark.jobs`; Spark moves bytes, `spark.sink` writes.
"""
