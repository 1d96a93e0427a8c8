"""The first tables: facts in core, reference data in ref."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


SESSION_HEX = """
    CREATE FUNCTION core.session_hex(session_uid bigint) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    RETURN lpad(to_hex(session_uid), 16, '0')
"""


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "overall_frame",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="order of the event in its session",
        ),
        sa.Column("code", sa.Text(), autoincrement=False, nullable=False, comment="ref.event; four letters"),
        sa.Column(
            "digest",
            sa.Text(),
            autoincrement=False,
            nullable=False,
            comment="of the event's content: one frame may carry two of the same code",
        ),
        sa.Column("session_time_s", sa.REAL(), nullable=False, comment="the game's session clock"),
        sa.Column("arrived_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="first arrival"),
        sa.Column("car_index", sa.SmallInteger(), nullable=True, comment="NULL = concerns no car"),
        sa.Column("other_car_index", sa.SmallInteger(), nullable=True, comment="NULL = concerns no second car"),
        sa.Column("lap_number", sa.SmallInteger(), nullable=True, comment="where the event says so"),
        sa.Column(
            "details",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="all members by our names; an unknown code has its bytes as `raw`",
        ),
        sa.PrimaryKeyConstraint("session_uid", "rig", "overall_frame", "code", "digest", name=op.f("event_pkey")),
        schema="core",
        comment="Everything that happened. From Event packets, without the player's buttons (BUTN, 98 % of them).",
    )
    op.create_table(
        "history",
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "car_index",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="place of the car in the packets' arrays, 0-based",
        ),
        sa.Column(
            "num_laps", sa.SmallInteger(), autoincrement=False, nullable=False, comment="laps that the packet listed"
        ),
        sa.Column(
            "overall_frame",
            sa.BigInteger(),
            nullable=False,
            comment="order of the newest SessionHistory packet that listed so many",
        ),
        sa.PrimaryKeyConstraint("session_uid", "rig", "car_index", "num_laps", name=op.f("history_pkey")),
        schema="core",
        comment="What SessionHistory packets said of a car's laps. A sample of lap n that is older than a packet listing fewer than n laps was undone by a flashback; this is how a late one is told.",
        postgresql_with={"fillfactor": "60"},
    )
    op.create_table(
        "lap",
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "car_index",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="place of the car in the packets' arrays, 0-based",
        ),
        sa.Column("lap_number", sa.SmallInteger(), autoincrement=False, nullable=False, comment="from 1"),
        sa.Column("lap_time_ms", sa.Integer(), nullable=True, comment="NULL = not complete"),
        sa.Column("sector1_ms", sa.Integer(), nullable=True, comment="NULL = not complete"),
        sa.Column("sector2_ms", sa.Integer(), nullable=True, comment="NULL = not complete"),
        sa.Column("sector3_ms", sa.Integer(), nullable=True, comment="NULL = not complete"),
        sa.Column("is_valid", sa.Boolean(), nullable=True, comment="the whole lap counts"),
        sa.Column("sector1_valid", sa.Boolean(), nullable=True),
        sa.Column("sector2_valid", sa.Boolean(), nullable=True),
        sa.Column("sector3_valid", sa.Boolean(), nullable=True),
        sa.Column(
            "history_frame",
            sa.BigInteger(),
            nullable=True,
            comment="order of the SessionHistory packet these times are from",
        ),
        sa.Column("position", sa.SmallInteger(), nullable=True, comment="at the last sample of the lap while racing"),
        sa.Column(
            "overall_frame",
            sa.BigInteger(),
            nullable=True,
            comment="order of the LapData sample that gives the position",
        ),
        sa.Column(
            "fuel_start_kg", sa.REAL(), nullable=True, comment="at the first sample of the lap; NULL = restricted"
        ),
        sa.Column("start_frame", sa.BigInteger(), nullable=True, comment="order of the CarStatus sample that gives it"),
        sa.Column(
            "actual_compound_id", sa.SmallInteger(), nullable=True, comment="ref.tyre_compound, at the last sample"
        ),
        sa.Column(
            "visual_compound_id", sa.SmallInteger(), nullable=True, comment="ref.visual_compound, at the last sample"
        ),
        sa.Column("tyre_age_laps", sa.SmallInteger(), nullable=True, comment="at the last sample"),
        sa.Column("fuel_end_kg", sa.REAL(), nullable=True, comment="at the last sample; NULL = restricted"),
        sa.Column(
            "ers_deployed_j", sa.REAL(), nullable=True, comment="in this lap until the last sample; NULL = restricted"
        ),
        sa.Column("ers_harvested_j", sa.REAL(), nullable=True, comment="likewise, by MGU-K and MGU-H"),
        sa.Column(
            "status_frame", sa.BigInteger(), nullable=True, comment="order of the CarStatus sample that gives these"
        ),
        sa.Column(
            "fuel_used_kg",
            sa.REAL(),
            sa.Computed("fuel_start_kg - fuel_end_kg", persisted=True),
            nullable=True,
            comment="NULL = restricted",
        ),
        sa.Column("is_pit_lap", sa.Boolean(), nullable=True, comment="the car was in the pit lane during it"),
        sa.Column("top_speed_kmh", sa.SmallInteger(), nullable=True, comment="of all samples on the lap"),
        sa.Column(
            "coverage",
            sa.REAL(),
            nullable=True,
            comment="share of its 10 m bins that were seen; NULL until the track is known",
        ),
        sa.CheckConstraint("coverage BETWEEN 0 AND 1", name=op.f("lap_coverage")),
        sa.CheckConstraint("lap_number >= 1", name=op.f("lap_lap")),
        sa.CheckConstraint("position >= 1", name=op.f("lap_position")),
        sa.PrimaryKeyConstraint("session_uid", "rig", "car_index", "lap_number", name=op.f("lap_pkey")),
        schema="core",
        comment="One row for each car and lap, the running one included. Times and validity from SessionHistory, position from LapData, tyres, fuel and ERS from CarStatus, the rest from the lap's trace.",
        postgresql_with={"fillfactor": "60"},
    )
    op.create_table(
        "lap_trace",
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "car_index",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="place of the car in the packets' arrays, 0-based",
        ),
        sa.Column("lap_number", sa.SmallInteger(), autoincrement=False, nullable=False, comment="from 1"),
        sa.Column(
            "distance_bin",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="lap distance in steps of 10 m: bin n is [10 n, 10 n + 10)",
        ),
        sa.Column("lap_distance_m", sa.REAL(), nullable=False, comment="of the sample"),
        sa.Column("current_lap_time_ms", sa.Integer(), nullable=False),
        sa.Column("speed_kmh", sa.SmallInteger(), nullable=True, comment="NULL = no CarTelemetry of this frame"),
        sa.Column("top_speed_kmh", sa.SmallInteger(), nullable=True, comment="highest of all samples in the bin"),
        sa.Column("throttle", sa.REAL(), nullable=True, comment="0 … 1"),
        sa.Column("brake", sa.REAL(), nullable=True, comment="0 … 1"),
        sa.Column("steer", sa.REAL(), nullable=True, comment="-1 left … 1 right"),
        sa.Column("gear", sa.SmallInteger(), nullable=True, comment="-1 reverse, 0 neutral"),
        sa.Column("engine_rpm", sa.Integer(), nullable=True),
        sa.Column("is_drs_open", sa.Boolean(), nullable=True),
        sa.Column("ers_store_j", sa.REAL(), nullable=True, comment="NULL = no CarStatus of this frame, or restricted"),
        sa.Column(
            "ers_deploy_mode",
            sa.SmallInteger(),
            nullable=True,
            comment="0 none, 1 medium, 2 hotlap, 3 overtake (2026: boost)",
        ),
        sa.Column("ers_deployed_j", sa.REAL(), nullable=True, comment="in this lap so far"),
        sa.Column("ers_harvested_j", sa.REAL(), nullable=True, comment="in this lap so far, by MGU-K and MGU-H"),
        sa.Column(
            "fuel_in_tank_kg", sa.REAL(), nullable=True, comment="NULL = no CarStatus of this frame, or restricted"
        ),
        sa.Column("world_x_m", sa.REAL(), nullable=True, comment="NULL = no Motion of this frame"),
        sa.Column("world_y_m", sa.REAL(), nullable=True),
        sa.Column("world_z_m", sa.REAL(), nullable=True),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("pit_status", sa.SmallInteger(), nullable=False, comment="0 none, 1 pitting, 2 in the pit area"),
        sa.Column("overall_frame", sa.BigInteger(), nullable=False, comment="order of the sample that this row shows"),
        sa.Column("is_complete", sa.Boolean(), nullable=False, comment="all four packets of the frame were there"),
        sa.CheckConstraint("distance_bin >= 0", name=op.f("lap_trace_bin")),
        sa.PrimaryKeyConstraint(
            "session_uid", "rig", "car_index", "lap_number", "distance_bin", name=op.f("lap_trace_pkey")
        ),
        schema="core",
        comment="One row for each car, lap and 10 m of track, while the car is on track and racing. LapData joined with CarTelemetry, CarStatus and Motion of the same frame; of a bin's samples the newest complete one wins.",
        postgresql_with={"fillfactor": "95"},
    )
    op.create_table(
        "ledger",
        sa.Column(
            "query_id",
            sa.Text(),
            autoincrement=False,
            nullable=False,
            comment="the streaming query of a checkpoint, or one run of `pitlane spark batch`",
        ),
        sa.Column(
            "batch_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="number of the micro-batch"
        ),
        sa.Column(
            "written_at",
            sa.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="when the transaction began",
        ),
        sa.Column("blocks", sa.Integer(), nullable=True, comment="Kafka records read"),
        sa.Column("datagrams", sa.Integer(), nullable=True, comment="datagrams in them"),
        sa.Column("rejected_blocks", sa.Integer(), nullable=True, comment="records that no packet table could read"),
        sa.Column(
            "offsets",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="topic → partition → [first offset read, first offset of the next batch]",
        ),
        sa.Column(
            "rows",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="fact → rows handed to the database; those that changed nothing included",
        ),
        sa.PrimaryKeyConstraint("query_id", "batch_id", name=op.f("ledger_pkey")),
        schema="core",
        comment="One row for each micro-batch, written in its transaction: a batch that comes again changes nothing.",
    )
    op.create_table(
        "participant",
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "car_index",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="place of the car in the packets' arrays, 0-based",
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="as the game shows it; not unique, never a key"),
        sa.Column("driver_id", sa.Integer(), nullable=True, comment="ref.driver; NULL for a human"),
        sa.Column("team_id", sa.Integer(), nullable=True, comment="ref.team, with game_year; NULL without a team"),
        sa.Column("race_number", sa.SmallInteger(), nullable=True),
        sa.Column("nationality_id", sa.SmallInteger(), nullable=True, comment="ref.nationality"),
        sa.Column("is_ai", sa.Boolean(), nullable=False),
        sa.Column("is_player", sa.Boolean(), nullable=False, comment="driven on this rig, secondary player included"),
        sa.Column("is_telemetry_public", sa.Boolean(), nullable=False, comment="the driver's setting at this sample"),
        sa.Column(
            "was_restricted",
            sa.Boolean(),
            nullable=False,
            comment="ever in this session: zeros in this car's fuel and ERS are hidden values",
        ),
        sa.Column(
            "platform_id",
            sa.SmallInteger(),
            nullable=True,
            comment="1 Steam, 3 PlayStation, 4 Xbox, 6 Origin; NULL = unknown",
        ),
        sa.Column("network_id", sa.Integer(), nullable=True, comment="of the player in a network game"),
        sa.Column("overall_frame", sa.BigInteger(), nullable=False, comment="order of the sample that this row shows"),
        sa.CheckConstraint("car_index BETWEEN 0 AND 23", name=op.f("participant_car")),
        sa.PrimaryKeyConstraint("session_uid", "rig", "car_index", name=op.f("participant_pkey")),
        schema="core",
        comment="Who drives which car. From Participants packets; the newest sample wins.",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_table(
        "pending_datagram",
        sa.Column("query_id", sa.Text(), autoincrement=False, nullable=False, comment="who waits"),
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "overall_frame",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the frame that still lacks a packet",
        ),
        sa.Column("packet_id", sa.SmallInteger(), autoincrement=False, nullable=False, comment=""),
        sa.Column("packet_format", sa.SmallInteger(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), nullable=False, comment="Kafka partition of the rig"),
        sa.Column("entry", sa.LargeBinary(), nullable=False, comment="arrival time, rig and datagram as in a block"),
        sa.PrimaryKeyConstraint(
            "query_id", "session_uid", "rig", "overall_frame", "packet_id", name=op.f("pending_datagram_pkey")
        ),
        schema="core",
        comment="Datagrams of recent frames whose partners have not come yet; read again with the next batch.",
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "result",
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "car_index",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="place of the car in the packets' arrays, 0-based",
        ),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("grid_position", sa.SmallInteger(), nullable=True, comment="NULL = none"),
        sa.Column("laps", sa.SmallInteger(), nullable=False, comment="completed"),
        sa.Column("points", sa.SmallInteger(), nullable=False),
        sa.Column("pit_stops", sa.SmallInteger(), nullable=False),
        sa.Column("result_status_id", sa.SmallInteger(), nullable=False, comment="ref.result_status"),
        sa.Column(
            "result_reason_id", sa.SmallInteger(), nullable=True, comment="ref.result_reason; NULL before format 2025"
        ),
        sa.Column("best_lap_time_ms", sa.Integer(), nullable=True, comment="NULL = none"),
        sa.Column("total_time_s", sa.Double(), nullable=True, comment="without penalties; NULL = none"),
        sa.Column("penalties_s", sa.SmallInteger(), nullable=False),
        sa.Column("penalties", sa.SmallInteger(), nullable=False, comment="number of them"),
        sa.Column("overall_frame", sa.BigInteger(), nullable=False, comment="order of the sample that this row shows"),
        sa.CheckConstraint("position >= 1", name=op.f("result_position")),
        sa.PrimaryKeyConstraint("session_uid", "rig", "car_index", name=op.f("result_pkey")),
        schema="core",
        comment="How the session ended. From FinalClassification packets.",
    )
    op.create_table(
        "session",
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "packet_format", sa.SmallInteger(), nullable=False, comment="2023 … 2026; what ids mean depends on it"
        ),
        sa.Column("game_year", sa.SmallInteger(), nullable=False, comment="23 … 25; team ids depend on it"),
        sa.Column("track_id", sa.SmallInteger(), nullable=True, comment="ref.track"),
        sa.Column("session_type_id", sa.SmallInteger(), nullable=True, comment="ref.session_type, with packet_format"),
        sa.Column("formula", sa.SmallInteger(), nullable=True, comment="0 F1 modern, 1 classic, 2 F2 …"),
        sa.Column("total_laps", sa.SmallInteger(), nullable=True, comment="of the race; 1 elsewhere"),
        sa.Column("track_length_m", sa.Integer(), nullable=True, comment="as the game says"),
        sa.Column("session_duration_s", sa.Integer(), nullable=True, comment="planned"),
        sa.Column("pit_speed_limit_kmh", sa.SmallInteger(), nullable=True),
        sa.Column("is_network_game", sa.Boolean(), nullable=True),
        sa.Column("is_spectating", sa.Boolean(), nullable=True),
        sa.Column(
            "spectator_car_index",
            sa.SmallInteger(),
            nullable=True,
            comment="the followed car; NULL when not spectating",
        ),
        sa.Column("player_car_index", sa.SmallInteger(), nullable=True, comment="NULL for a spectator"),
        sa.Column("secondary_player_car_index", sa.SmallInteger(), nullable=True, comment="split screen; NULL without"),
        sa.Column("ai_difficulty", sa.SmallInteger(), nullable=True, comment="0 … 110"),
        sa.Column("game_mode", sa.SmallInteger(), nullable=True, comment="id of the game's appendix"),
        sa.Column("rule_set", sa.SmallInteger(), nullable=True, comment="id of the game's appendix"),
        sa.Column("season_link", sa.BigInteger(), nullable=True, comment="same for all sessions of a season"),
        sa.Column("weekend_link", sa.BigInteger(), nullable=True, comment="same for all sessions of a weekend"),
        sa.Column("session_link", sa.BigInteger(), nullable=True),
        sa.Column(
            "sector2_start_m", sa.REAL(), nullable=True, comment="lap distance at which sector 2 starts; NULL in 2023"
        ),
        sa.Column(
            "sector3_start_m", sa.REAL(), nullable=True, comment="lap distance at which sector 3 starts; NULL in 2023"
        ),
        sa.Column("safety_car_periods", sa.SmallInteger(), nullable=True, comment="so far"),
        sa.Column("vsc_periods", sa.SmallInteger(), nullable=True, comment="so far"),
        sa.Column("red_flag_periods", sa.SmallInteger(), nullable=True, comment="so far"),
        sa.Column("started_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="arrival of the first packet"),
        sa.Column("last_seen_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="arrival of the last packet"),
        sa.Column("overall_frame", sa.BigInteger(), nullable=False, comment="order of the sample that this row shows"),
        sa.CheckConstraint("session_uid <> 0", name=op.f("session_uid")),
        sa.PrimaryKeyConstraint("session_uid", "rig", name=op.f("session_pkey")),
        schema="core",
        comment="One row for each session and rig. From Session packets, written by the gateway.",
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "session_sample",
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "overall_frame",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="order of the sample that this row shows",
        ),
        sa.Column(
            "session_time_s",
            sa.REAL(),
            autoincrement=False,
            nullable=False,
            comment="the game's session clock; rewinds on a flashback",
        ),
        sa.Column("arrived_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="arrival of the packet"),
        sa.Column("weather_id", sa.SmallInteger(), nullable=True, comment="ref.weather"),
        sa.Column("track_temperature_c", sa.SmallInteger(), nullable=True),
        sa.Column("air_temperature_c", sa.SmallInteger(), nullable=True),
        sa.Column(
            "safety_car_status", sa.SmallInteger(), nullable=True, comment="0 none, 1 full, 2 virtual, 3 formation lap"
        ),
        sa.Column("session_time_left_s", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint(
            "session_uid", "rig", "overall_frame", "session_time_s", name=op.f("session_sample_pkey")
        ),
        schema="core",
        comment="How a session changed: a row when weather, temperatures, safety car or time left changed.",
    )
    op.create_table(
        "stint",
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "car_index",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="place of the car in the packets' arrays, 0-based",
        ),
        sa.Column("stint_number", sa.SmallInteger(), autoincrement=False, nullable=False, comment="from 1"),
        sa.Column("start_lap", sa.SmallInteger(), nullable=False),
        sa.Column("end_lap", sa.SmallInteger(), nullable=True, comment="NULL = running"),
        sa.Column("actual_compound_id", sa.SmallInteger(), nullable=True, comment="ref.tyre_compound"),
        sa.Column("visual_compound_id", sa.SmallInteger(), nullable=True, comment="ref.visual_compound"),
        sa.Column("overall_frame", sa.BigInteger(), nullable=False, comment="order of the sample that this row shows"),
        sa.PrimaryKeyConstraint("session_uid", "rig", "car_index", "stint_number", name=op.f("stint_pkey")),
        schema="core",
        comment="One row for each car and set of tyres driven. From the newest SessionHistory packet of the car.",
        postgresql_with={"fillfactor": "60"},
    )
    op.create_table(
        "driver",
        sa.Column("driver_id", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("driver_id", name=op.f("driver_pkey")),
        schema="ref",
        comment="Drivers that the game itself provides.",
    )
    op.create_table(
        "event",
        sa.Column("code", sa.Text(), autoincrement=False, nullable=False, comment="four letters"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "is_highlight",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="worth a line in a race's story",
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("event_pkey")),
        schema="ref",
        comment="Events.",
    )
    op.create_table(
        "infringement",
        sa.Column(
            "infringement_type", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("infringement_type", name=op.f("infringement_pkey")),
        schema="ref",
        comment="Reasons of penalties, as PENA events name them.",
    )
    op.create_table(
        "nationality",
        sa.Column("nationality_id", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("nationality_id", name=op.f("nationality_pkey")),
        schema="ref",
        comment="Nationalities of participants.",
    )
    op.create_table(
        "penalty",
        sa.Column("penalty_type", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("penalty_type", name=op.f("penalty_pkey")),
        schema="ref",
        comment="Penalties, as PENA events name them.",
    )
    op.create_table(
        "result_reason",
        sa.Column(
            "result_reason_id", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("result_reason_id", name=op.f("result_reason_pkey")),
        schema="ref",
        comment="Why a car ended, from format 2025.",
    )
    op.create_table(
        "result_status",
        sa.Column(
            "result_status_id", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_classified", sa.Boolean(), nullable=False, comment="counts as having come home"),
        sa.PrimaryKeyConstraint("result_status_id", name=op.f("result_status_pkey")),
        schema="ref",
        comment="How a car stands or ended.",
    )
    op.create_table(
        "session_type",
        sa.Column(
            "packet_format",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="core.session.packet_format",
        ),
        sa.Column(
            "session_type_id", sa.SmallInteger(), autoincrement=False, nullable=False, comment="as the game sends it"
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Text(),
            nullable=False,
            comment="practice, qualifying, sprint_shootout, race, time_trial or unknown",
        ),
        sa.PrimaryKeyConstraint("packet_format", "session_type_id", name=op.f("session_type_pkey")),
        schema="ref",
        comment="Session types. From 2024 the numbers from 10 on mean something else.",
    )
    op.create_table(
        "team",
        sa.Column(
            "game_year",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="core.session.game_year; the 2026 pack belongs to 25",
        ),
        sa.Column("team_id", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("game_year", "team_id", name=op.f("team_pkey")),
        schema="ref",
        comment="Teams. What an id means depends on the game's year, not on the packet format.",
    )
    op.create_table(
        "track",
        sa.Column("track_id", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column(
            "length_m",
            sa.Integer(),
            nullable=True,
            comment="published length of the real track; NULL for short and unused layouts",
        ),
        sa.PrimaryKeyConstraint("track_id", name=op.f("track_pkey")),
        schema="ref",
        comment="Tracks of the games 23 to 25 and the 2026 pack.",
    )
    op.create_table(
        "tyre_compound",
        sa.Column(
            "actual_compound_id", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("actual_compound_id", name=op.f("tyre_compound_pkey")),
        schema="ref",
        comment="What a tyre is made of (C1 … C6, F2, classic).",
    )
    op.create_table(
        "visual_compound",
        sa.Column(
            "visual_compound_id", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("colour", sa.Text(), nullable=False, comment="of its marking, #rrggbb"),
        sa.PrimaryKeyConstraint("visual_compound_id", name=op.f("visual_compound_pkey")),
        schema="ref",
        comment="What a tyre is called in a race.",
    )
    op.create_table(
        "weather",
        sa.Column("weather_id", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("weather_id", name=op.f("weather_pkey")),
        schema="ref",
        comment="Weather.",
    )
    op.execute(SESSION_HEX)


def downgrade() -> None:
    op.execute("DROP FUNCTION core.session_hex(bigint)")
    op.drop_table("weather", schema="ref")
    op.drop_table("visual_compound", schema="ref")
    op.drop_table("tyre_compound", schema="ref")
    op.drop_table("track", schema="ref")
    op.drop_table("team", schema="ref")
    op.drop_table("session_type", schema="ref")
    op.drop_table("result_status", schema="ref")
    op.drop_table("result_reason", schema="ref")
    op.drop_table("penalty", schema="ref")
    op.drop_table("nationality", schema="ref")
    op.drop_table("infringement", schema="ref")
    op.drop_table("event", schema="ref")
    op.drop_table("driver", schema="ref")
    op.drop_table("stint", schema="core")
    op.drop_table("session_sample", schema="core")
    op.drop_table("session", schema="core")
    op.drop_table("result", schema="core")
    op.drop_table("pending_datagram", schema="core")
    op.drop_table("participant", schema="core")
    op.drop_table("ledger", schema="core")
    op.drop_table("lap_trace", schema="core")
    op.drop_table("lap", schema="core")
    op.drop_table("history", schema="core")
    op.drop_table("event", schema="core")
