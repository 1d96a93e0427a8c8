"""UDP telemetry in; live WebSocket frames, session rows and blocks for NiFi out.

    receive ──▶ decide (pure) ──▶ effects ──▶ blocks ──▶ spool ──▶ post       (NiFi)
                                         │                    └──▶ sessions   (Postgres)
                                         └──▶ live ──▶ web                    (viewers)

`decide` knows the packets and the rigs, and neither a socket nor a clock. `gateway` carries out what it
decides; each kind of I/O has one module of its own. `ledger` counts the fate of every datagram.
"""
