"""Advisory locks of the database: who waits for whom. The numbers mean nothing."""

MIGRATION = 0x9171A4E
"""Two migrations wait for each other."""

WRITER = 0x9171A4F
"""One writer of facts at a time: a batch run beside the stream waits for it instead of meeting it in a deadlock, and a
migration or a clean-up comes between two micro-batches."""

REBUILD = 0x9171A50
"""One rebuild at a time."""

SHADOW = 0x9171A51
"""One writer of the tables that a rebuild fills, so that it does not hold up WRITER."""
