"""What the application computes: numpy arrays in, fact tables out. Nothing here knows Spark, Kafka or Postgres."""
