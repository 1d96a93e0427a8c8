"""The packets that had no table: setups, tyre sets, time trials, lobbies, forecasts, and what texts need.

Nothing that is there is lost: tables and nullable columns are added, comments changed.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

COMMENTS = {
    "COLUMN core.event.car_index": "the car it is about; NULL = none",
    "COLUMN core.event.other_car_index": "the other car of it; NULL = none",
    "COLUMN core.event.lap_number": "in which it happened; NULL where the event does not say so",
    "COLUMN core.lap.lap_time_ms": "of the whole lap; NULL = not complete",
    "COLUMN core.lap.sector1_ms": "of the first sector; NULL = not complete",
    "COLUMN core.lap.sector2_ms": "of the second; NULL = not complete",
    "COLUMN core.lap.sector3_ms": "of the third; NULL = not complete",
    "COLUMN core.lap.sector1_valid": "sector 1 counts",
    "COLUMN core.lap.sector2_valid": "sector 2 counts",
    "COLUMN core.lap.sector3_valid": "sector 3 counts",
    "COLUMN core.lap.fuel_used_kg": "between its first and last sample; NULL = restricted",
    "TABLE core.lap": "One row for each car and lap, the running one included. Times and validity from SessionHistory; position, gaps and penalties from LapData; the place at its start from LapPositions; tyres, fuel and ERS from CarStatus; the rest from the lap's trace.",
    "COLUMN core.lap_trace.current_lap_time_ms": "since the start of the lap, at the sample",
    "COLUMN core.lap_trace.speed_kmh": "of the sample; NULL = no CarTelemetry of this frame",
    "COLUMN core.lap_trace.throttle": "0 … 1; NULL = no CarTelemetry of this frame, as with the five below",
    "COLUMN core.lap_trace.engine_rpm": "revolutions a minute",
    "COLUMN core.lap_trace.is_drs_open": "the flap of the rear wing is open",
    "COLUMN core.lap_trace.ers_store_j": "charge of the battery; NULL = no CarStatus of this frame, or restricted",
    "COLUMN core.lap_trace.fuel_in_tank_kg": "at the sample; NULL = no CarStatus of this frame, or restricted",
    "COLUMN core.lap_trace.world_x_m": "place on the map, x and z horizontal; NULL = no Motion of this frame",
    "COLUMN core.lap_trace.world_y_m": "height; NULL as world_x_m",
    "COLUMN core.lap_trace.world_z_m": "place on the map; NULL as world_x_m",
    "COLUMN core.lap_trace.position": "place in the race at the sample",
    "COLUMN core.participant.race_number": "on the car; drivers choose it, two may have the same",
    "COLUMN core.participant.is_ai": "driven by the game, not by a person",
    "COLUMN core.participant.network_id": "of the player in a network game; NULL = none",
    "COLUMN core.pending_datagram.packet_id": "which of the frame's packets this is, as the game numbers them",
    "COLUMN core.pending_datagram.packet_format": "2023 … 2026: with packet_id it says how to read the entry",
    "COLUMN core.result.position": "in which the car was classified",
    "COLUMN core.result.grid_position": "where it started; NULL = no grid, as in qualifying",
    "COLUMN core.result.points": "scored in this session",
    "COLUMN core.result.pit_stops": "made",
    "COLUMN core.result.best_lap_time_ms": "of its valid laps; NULL = no lap was timed",
    "COLUMN core.result.total_time_s": "without penalties; NULL = the game told none",
    "COLUMN core.result.penalties_s": "sum of time penalties, not yet in total_time_s",
    "COLUMN core.session.pit_speed_limit_kmh": "in the pit lane",
    "COLUMN core.session.is_network_game": "played online",
    "COLUMN core.session.is_spectating": "this rig drives none of the cars, it watches",
    "COLUMN core.session.player_car_index": "the car driven on this rig; NULL for a spectator",
    "COLUMN core.session.game_mode": "ref.game_mode",
    "COLUMN core.session.rule_set": "ref.rule_set",
    "COLUMN core.session.session_link": "of this session in the game's saves; not the session UID",
    "COLUMN core.session_sample.track_temperature_c": "of the asphalt",
    "COLUMN core.session_sample.air_temperature_c": "in the shade",
    "COLUMN core.session_sample.session_time_left_s": "until the planned end",
    "COLUMN core.stint.start_lap": "first lap on these tyres",
    "COLUMN core.stint.end_lap": "last lap on them; NULL = running, or driven to the flag",
    "COLUMN ref.driver.name": "in English, as the game's appendix has it",
    "COLUMN ref.event.name": "in English, as the game's appendix has it",
    "COLUMN ref.infringement.name": "in English, as the game's appendix has it",
    "COLUMN ref.nationality.name": "in English, as the game's appendix has it",
    "COLUMN ref.penalty.name": "in English, as the game's appendix has it",
    "COLUMN ref.result_reason.name": "in English, as the game's appendix has it",
    "COLUMN ref.result_status.name": "in English, as the game's appendix has it",
    "COLUMN ref.session_type.name": "in English, as the game's appendix has it",
    "COLUMN ref.team.name": "in English, as the game's appendix has it",
    "COLUMN ref.track.name": "in English, as the game's appendix has it",
    "COLUMN ref.track.country": "in which it lies",
    "COLUMN ref.tyre_compound.name": "in English, as the game's appendix has it",
    "COLUMN ref.visual_compound.name": "in English, as the game's appendix has it",
    "COLUMN ref.weather.name": "in English, as the game's appendix has it",
}

"""Of what was there before: every column has one now."""


def upgrade() -> None:
    op.create_table(
        "lobby_player",
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "minute",
            sa.TIMESTAMP(timezone=True),
            autoincrement=False,
            nullable=False,
            comment="in which the sample arrived",
        ),
        sa.Column(
            "slot",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="place in the lobby, 0-based; names repeat and are no key",
        ),
        sa.Column(
            "arrived_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="of the sample that this row shows, the newest of the minute that had this slot",
        ),
        sa.Column("packet_format", sa.SmallInteger(), nullable=False, comment="2023 … 2026"),
        sa.Column("game_year", sa.SmallInteger(), nullable=False, comment="23 … 25; team ids depend on it"),
        sa.Column("players", sa.SmallInteger(), nullable=False, comment="in the lobby at this sample"),
        sa.Column("name", sa.Text(), nullable=False, comment="as the game shows it; Player for those who hide theirs"),
        sa.Column("is_ai", sa.Boolean(), nullable=False, comment="driven by the game, not by a person"),
        sa.Column("team_id", sa.Integer(), nullable=True, comment="ref.team, with game_year; NULL = none chosen yet"),
        sa.Column("nationality_id", sa.SmallInteger(), nullable=True, comment="ref.nationality; NULL = none"),
        sa.Column(
            "platform_id",
            sa.SmallInteger(),
            nullable=True,
            comment="1 Steam, 3 PlayStation, 4 Xbox, 6 Origin; NULL = unknown",
        ),
        sa.Column("race_number", sa.SmallInteger(), nullable=True, comment="on the car; NULL = none"),
        sa.Column("ready_status_id", sa.SmallInteger(), nullable=False, comment="0 not ready, 1 ready, 2 spectating"),
        sa.Column("is_telemetry_public", sa.Boolean(), nullable=True, comment="the player's setting; NULL in 2023"),
        sa.Column("shows_online_name", sa.Boolean(), nullable=True, comment="the player's setting; NULL in 2023"),
        sa.Column("tech_level", sa.Integer(), nullable=True, comment="of an F1 World car; NULL = none, or in 2023"),
        sa.PrimaryKeyConstraint("rig", "minute", "slot", name=op.f("lobby_player_pkey")),
        schema="core",
        comment="Who waited in a lobby: one row for each rig, minute and slot. From LobbyInfo packets. A lobby has no session: the session UID is 0 there, so these rows are told apart by their time of arrival.",
    )
    op.create_table(
        "setup",
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
            "digest",
            sa.Text(),
            autoincrement=False,
            nullable=False,
            comment="of the setup's members; the same setup has the same one in every session",
        ),
        sa.Column("first_frame", sa.BigInteger(), nullable=False, comment="order of the first sample that showed it"),
        sa.Column("last_frame", sa.BigInteger(), nullable=False, comment="order of the last one"),
        sa.Column("front_wing", sa.SmallInteger(), nullable=True, comment="angle, in the game's clicks"),
        sa.Column("rear_wing", sa.SmallInteger(), nullable=True, comment="angle, in the game's clicks"),
        sa.Column(
            "on_throttle_percent", sa.SmallInteger(), nullable=True, comment="lock of the differential on throttle"
        ),
        sa.Column(
            "off_throttle_percent", sa.SmallInteger(), nullable=True, comment="lock of the differential off throttle"
        ),
        sa.Column(
            "front_camber_deg",
            sa.REAL(),
            nullable=True,
            comment="lean of the front wheels, below zero inwards at the top",
        ),
        sa.Column(
            "rear_camber_deg",
            sa.REAL(),
            nullable=True,
            comment="lean of the rear wheels, below zero inwards at the top",
        ),
        sa.Column("front_toe_deg", sa.REAL(), nullable=True, comment="toe-out of the front wheels"),
        sa.Column("rear_toe_deg", sa.REAL(), nullable=True, comment="toe-in of the rear wheels"),
        sa.Column("front_suspension", sa.SmallInteger(), nullable=True, comment="stiffness in the game's clicks"),
        sa.Column("rear_suspension", sa.SmallInteger(), nullable=True, comment="stiffness in the game's clicks"),
        sa.Column("front_anti_roll_bar", sa.SmallInteger(), nullable=True, comment="stiffness in the game's clicks"),
        sa.Column("rear_anti_roll_bar", sa.SmallInteger(), nullable=True, comment="stiffness in the game's clicks"),
        sa.Column("front_ride_height", sa.SmallInteger(), nullable=True, comment="in the game's clicks"),
        sa.Column("rear_ride_height", sa.SmallInteger(), nullable=True, comment="in the game's clicks"),
        sa.Column("brake_pressure_percent", sa.SmallInteger(), nullable=True, comment="of the greatest there is"),
        sa.Column("brake_bias_percent", sa.SmallInteger(), nullable=True, comment="share of the front brakes"),
        sa.Column(
            "engine_braking_percent",
            sa.SmallInteger(),
            nullable=True,
            comment="drag of the engine off throttle; NULL in 2023",
        ),
        sa.Column("rear_left_tyre_pressure_psi", sa.REAL(), nullable=True, comment="of the cold tyre"),
        sa.Column("rear_right_tyre_pressure_psi", sa.REAL(), nullable=True, comment="of the cold tyre"),
        sa.Column("front_left_tyre_pressure_psi", sa.REAL(), nullable=True, comment="of the cold tyre"),
        sa.Column("front_right_tyre_pressure_psi", sa.REAL(), nullable=True, comment="of the cold tyre"),
        sa.Column("ballast", sa.SmallInteger(), nullable=True, comment="in the game's clicks"),
        sa.Column("fuel_load_kg", sa.REAL(), nullable=True, comment="in the tank at the start"),
        sa.CheckConstraint("first_frame <= last_frame", name=op.f("setup_frames")),
        sa.PrimaryKeyConstraint("session_uid", "rig", "car_index", "digest", name=op.f("setup_pkey")),
        schema="core",
        comment="One row for each car and setup it had, with the first and the last sample that showed it. From CarSetups packets. Online the game sends the own car's alone: other players' setups are blank and have no row.",
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "time_trial",
        sa.Column(
            "session_uid",
            sa.BigInteger(),
            autoincrement=False,
            nullable=False,
            comment="the game's session UID, two's complement",
        ),
        sa.Column("rig", sa.Text(), autoincrement=False, nullable=False, comment="name of the rig that sent it"),
        sa.Column(
            "record",
            sa.Text(),
            autoincrement=False,
            nullable=False,
            comment="session_best and personal_best of the player, rival",
        ),
        sa.Column(
            "car_index",
            sa.SmallInteger(),
            nullable=False,
            comment="the car that shows it: the player's own or a ghost's",
        ),
        sa.Column("team_id", sa.Integer(), nullable=True, comment="ref.team, with game_year; NULL = none"),
        sa.Column("lap_time_ms", sa.Integer(), nullable=False, comment="of the record"),
        sa.Column("sector1_ms", sa.Integer(), nullable=True, comment="of its first sector; NULL = not told"),
        sa.Column("sector2_ms", sa.Integer(), nullable=True, comment="of its second sector; NULL = not told"),
        sa.Column("sector3_ms", sa.Integer(), nullable=True, comment="of its third sector; NULL = not told"),
        sa.Column("traction_control", sa.Boolean(), nullable=False, comment="driven with this assist"),
        sa.Column("gearbox_assist", sa.Boolean(), nullable=False, comment="driven with this assist"),
        sa.Column("anti_lock_brakes", sa.Boolean(), nullable=False, comment="driven with this assist"),
        sa.Column(
            "has_equal_cars",
            sa.Boolean(),
            nullable=False,
            comment="driven with equal car performance, not a realistic one",
        ),
        sa.Column("has_custom_setup", sa.Boolean(), nullable=False, comment="driven with a setup of the player's own"),
        sa.Column("is_valid", sa.Boolean(), nullable=False, comment="the lap counts"),
        sa.Column("overall_frame", sa.BigInteger(), nullable=False, comment="order of the sample that this row shows"),
        sa.CheckConstraint("record IN ('session_best', 'personal_best', 'rival')", name=op.f("time_trial_record")),
        sa.PrimaryKeyConstraint("session_uid", "rig", "record", name=op.f("time_trial_pkey")),
        schema="core",
        comment="Three rows for each time trial: the player's best of the session, personal best, and the rival's lap; none before there is such a lap. From TimeTrial packets, which format 2023 does not have; the newest sample wins.",
    )
    op.create_table(
        "tyre_set",
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
            "set_index",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="0 … 12 dry sets, 13 … 19 intermediate and wet ones",
        ),
        sa.Column("actual_compound_id", sa.SmallInteger(), nullable=False, comment="ref.tyre_compound"),
        sa.Column("visual_compound_id", sa.SmallInteger(), nullable=False, comment="ref.visual_compound"),
        sa.Column("wear_percent", sa.SmallInteger(), nullable=False, comment="of the set, 100 is worn out"),
        sa.Column("is_available", sa.Boolean(), nullable=False, comment="may be fitted now"),
        sa.Column(
            "recommended_session_id",
            sa.SmallInteger(),
            nullable=True,
            comment="ref.session_type, with packet_format; NULL = none",
        ),
        sa.Column("life_span_laps", sa.SmallInteger(), nullable=False, comment="laps left in it"),
        sa.Column("usable_life_laps", sa.SmallInteger(), nullable=False, comment="laps recommended for the compound"),
        sa.Column(
            "lap_delta_time_ms",
            sa.SmallInteger(),
            nullable=False,
            comment="of a lap against the fitted set, above zero is slower",
        ),
        sa.Column("is_fitted", sa.Boolean(), nullable=False, comment="on the car"),
        sa.Column("overall_frame", sa.BigInteger(), nullable=False, comment="order of the sample that this row shows"),
        sa.CheckConstraint("set_index BETWEEN 0 AND 19", name=op.f("tyre_set_index")),
        sa.PrimaryKeyConstraint("session_uid", "rig", "car_index", "set_index", name=op.f("tyre_set_pkey")),
        schema="core",
        comment="One row for each car and set of tyres it may use, as the newest sample showed it. From TyreSets packets. A car that hides its telemetry sends zeros: what was last shown stands, and without it there is no row.",
        postgresql_with={"fillfactor": "60"},
    )
    op.create_table(
        "weather_forecast",
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
            comment="order of the packet; all rows of one are one forecast",
        ),
        sa.Column(
            "session_time_s",
            sa.REAL(),
            autoincrement=False,
            nullable=False,
            comment="the game's session clock at that packet; rewinds on a flashback",
        ),
        sa.Column(
            "session_type_id",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="the session it is for: ref.session_type, with packet_format",
        ),
        sa.Column(
            "time_offset_min",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="for so many minutes ahead; of a later session, after its start",
        ),
        sa.Column("arrived_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="arrival of the packet"),
        sa.Column("weather_id", sa.SmallInteger(), nullable=False, comment="ref.weather"),
        sa.Column("track_temperature_c", sa.SmallInteger(), nullable=False, comment="of the asphalt"),
        sa.Column(
            "track_temperature_change",
            sa.SmallInteger(),
            nullable=False,
            comment="against the entry before: 0 up, 1 down, 2 none",
        ),
        sa.Column("air_temperature_c", sa.SmallInteger(), nullable=False, comment="in the shade"),
        sa.Column(
            "air_temperature_change",
            sa.SmallInteger(),
            nullable=False,
            comment="against the entry before: 0 up, 1 down, 2 none",
        ),
        sa.Column("rain_percent", sa.SmallInteger(), nullable=False, comment="chance of rain"),
        sa.Column(
            "is_approximate", sa.Boolean(), nullable=False, comment="the player's forecast accuracy; false is perfect"
        ),
        sa.PrimaryKeyConstraint(
            "session_uid",
            "rig",
            "overall_frame",
            "session_time_s",
            "session_type_id",
            "time_offset_min",
            name=op.f("weather_forecast_pkey"),
        ),
        schema="core",
        comment="The forecasts, each whole, whenever anything in one changed: the newest before a moment is what was known then. From Session packets, written by the gateway.",
    )
    op.create_table(
        "collision_severity",
        sa.Column(
            "collision_severity_id", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="in English, as the game's appendix has it"),
        sa.PrimaryKeyConstraint("collision_severity_id", name=op.f("collision_severity_pkey")),
        schema="ref",
        comment="How hard cars collided, as COLL events tell from format 2026.",
    )
    op.create_table(
        "drs_disabled_reason",
        sa.Column(
            "drs_disabled_reason_id", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="in English, as the game's appendix has it"),
        sa.PrimaryKeyConstraint("drs_disabled_reason_id", name=op.f("drs_disabled_reason_pkey")),
        schema="ref",
        comment="Why DRS may not be used, as DRSD events tell from format 2025.",
    )
    op.create_table(
        "game_mode",
        sa.Column("game_mode_id", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"),
        sa.Column("name", sa.Text(), nullable=False, comment="in English, as the game's appendix has it"),
        sa.PrimaryKeyConstraint("game_mode_id", name=op.f("game_mode_pkey")),
        schema="ref",
        comment="What is played: a career, a time trial, an online race …",
    )
    op.create_table(
        "rule_set",
        sa.Column("rule_set_id", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"),
        sa.Column("name", sa.Text(), nullable=False, comment="in English, as the game's appendix has it"),
        sa.PrimaryKeyConstraint("rule_set_id", name=op.f("rule_set_pkey")),
        schema="ref",
        comment="The rules of a session.",
    )
    op.create_table(
        "safety_car_event",
        sa.Column(
            "safety_car_event_id", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="in English, as the game's appendix has it"),
        sa.PrimaryKeyConstraint("safety_car_event_id", name=op.f("safety_car_event_pkey")),
        schema="ref",
        comment="What a safety car does, as SCAR events tell.",
    )
    op.create_table(
        "safety_car_type",
        sa.Column(
            "safety_car_type_id", sa.Integer(), autoincrement=False, nullable=False, comment="as the game sends it"
        ),
        sa.Column("name", sa.Text(), nullable=False, comment="in English, as the game's appendix has it"),
        sa.PrimaryKeyConstraint("safety_car_type_id", name=op.f("safety_car_type_pkey")),
        schema="ref",
        comment="Kinds of safety car, as SCAR events name them.",
    )
    op.add_column(
        "lap",
        sa.Column(
            "start_position",
            sa.SmallInteger(),
            nullable=True,
            comment="place at the start of the lap; NULL before format 2025",
        ),
        schema="core",
    )
    op.add_column(
        "lap",
        sa.Column(
            "line_frame", sa.BigInteger(), nullable=True, comment="order of the first LapPositions packet that told it"
        ),
        schema="core",
    )
    op.add_column(
        "lap",
        sa.Column(
            "line_rewound",
            sa.BigInteger(),
            nullable=True,
            comment="frames that flashbacks had taken back until then: later ones win",
        ),
        schema="core",
    )
    op.add_column(
        "participant",
        sa.Column("is_my_team", sa.Boolean(), nullable=True, comment="the car of a My Team career"),
        schema="core",
    )
    op.add_column(
        "participant",
        sa.Column(
            "tech_level", sa.Integer(), nullable=True, comment="of an F1 World car; NULL = none, or before format 2024"
        ),
        schema="core",
    )
    op.add_column(
        "participant",
        sa.Column(
            "shows_online_name",
            sa.Boolean(),
            nullable=True,
            comment="the player's setting; without it online names read Player",
        ),
        schema="core",
    )
    op.add_column(
        "participant",
        sa.Column(
            "livery_colours",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="of the car, as #rrggbb, main colour first; NULL before format 2025",
        ),
        schema="core",
    )
    op.add_column(
        "result",
        sa.Column(
            "tyre_stints",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=True,
            comment="as told at the end: [{end_lap (null: to the flag), actual_compound_id, visual_compound_id}]",
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "session_length_id",
            sa.SmallInteger(),
            nullable=True,
            comment="0 none, 2 very short, 3 short, 4 medium, 5 medium long, 6 long, 7 full",
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "time_of_day_min",
            sa.SmallInteger(),
            nullable=True,
            comment="local time at the track, minutes since midnight, at this sample",
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column("steering_assist", sa.Boolean(), nullable=True, comment="of this rig's player, as the assists below"),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column("braking_assist_id", sa.SmallInteger(), nullable=True, comment="0 off, 1 low, 2 medium, 3 high"),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "gearbox_assist_id",
            sa.SmallInteger(),
            nullable=True,
            comment="1 manual, 2 manual with suggested gear, 3 automatic",
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column("pit_assist", sa.Boolean(), nullable=True, comment="the game drives in the pit lane"),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column("pit_release_assist", sa.Boolean(), nullable=True, comment="the game leaves the box by itself"),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column("ers_assist", sa.Boolean(), nullable=True, comment="the game chooses the ERS mode"),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column("drs_assist", sa.Boolean(), nullable=True, comment="the game opens the flap"),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "racing_line_id",
            sa.SmallInteger(),
            nullable=True,
            comment="drawn on the track: 0 none, 1 in corners only, 2 everywhere",
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column("abs_assist", sa.Boolean(), nullable=True, comment="anti-lock brakes; NULL before format 2026"),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "traction_control_id",
            sa.SmallInteger(),
            nullable=True,
            comment="0 off, 1 medium, 2 full; NULL before format 2026",
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "has_equal_cars",
            sa.Boolean(),
            nullable=True,
            comment="all cars perform alike; NULL in 2023, as all below but the counts",
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column("recovery_mode_id", sa.SmallInteger(), nullable=True, comment="0 none, 1 flashbacks, 2 automatic"),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "flashback_limit_id", sa.SmallInteger(), nullable=True, comment="0 low, 1 medium, 2 high, 3 unlimited"
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "has_realistic_surface", sa.Boolean(), nullable=True, comment="track surface: realistic, not simplified"
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column("has_hard_fuel_mode", sa.Boolean(), nullable=True, comment="low fuel mode: hard, not easy"),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column("has_assisted_starts", sa.Boolean(), nullable=True, comment="race starts: assisted, not by hand"),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "has_carcass_temperature",
            sa.Boolean(),
            nullable=True,
            comment="tyre temperature: surface and carcass, not the surface only",
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "car_damage_id", sa.SmallInteger(), nullable=True, comment="0 off, 1 reduced, 2 standard, 3 simulation"
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "car_damage_rate_id", sa.SmallInteger(), nullable=True, comment="0 reduced, 1 standard, 2 simulation"
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column("collisions_id", sa.SmallInteger(), nullable=True, comment="0 off, 1 not between players, 2 on"),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "has_strict_corner_cutting", sa.Boolean(), nullable=True, comment="track limits: strict, not regular"
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column("has_parc_ferme", sa.Boolean(), nullable=True, comment="setups are fixed from qualifying on"),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "safety_car_id",
            sa.SmallInteger(),
            nullable=True,
            comment="how often: 0 off, 1 reduced, 2 standard, 3 increased",
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "red_flags_id",
            sa.SmallInteger(),
            nullable=True,
            comment="how often: 0 off, 1 reduced, 2 standard, 3 increased",
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column("has_formation_lap", sa.Boolean(), nullable=True, comment="a race begins with a formation lap"),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "weekend_structure",
            postgresql.ARRAY(sa.SmallInteger()),
            nullable=True,
            comment="the weekend's sessions in order: session_type_id; NULL = not told",
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "is_sprint_weekend",
            sa.Boolean(),
            nullable=True,
            comment="it has a sprint shootout; NULL = the weekend's sessions were not told",
        ),
        schema="core",
    )
    op.add_column(
        "session",
        sa.Column(
            "start_reaction_time_s",
            sa.REAL(),
            nullable=True,
            comment="of this rig's player; NULL before format 2026, before the start, with assisted starts",
        ),
        schema="core",
    )
    op.add_column(
        "infringement",
        sa.Column("phrase", sa.Text(), nullable=True, comment="as it reads within a sentence; NULL = its name does"),
        schema="ref",
    )
    op.add_column(
        "penalty",
        sa.Column("phrase", sa.Text(), nullable=True, comment="as it reads within a sentence; NULL = its name does"),
        schema="ref",
    )
    op.create_check_constraint(op.f("lap_start_position"), "lap", "start_position >= 1", schema="core")
    for target, comment in COMMENTS.items():
        op.execute(f"COMMENT ON {target} IS $comment${comment}$comment$")


def downgrade() -> None:
    op.drop_column("penalty", "phrase", schema="ref")
    op.drop_column("infringement", "phrase", schema="ref")
    op.drop_column("session", "start_reaction_time_s", schema="core")
    op.drop_column("session", "is_sprint_weekend", schema="core")
    op.drop_column("session", "weekend_structure", schema="core")
    op.drop_column("session", "has_formation_lap", schema="core")
    op.drop_column("session", "red_flags_id", schema="core")
    op.drop_column("session", "safety_car_id", schema="core")
    op.drop_column("session", "has_parc_ferme", schema="core")
    op.drop_column("session", "has_strict_corner_cutting", schema="core")
    op.drop_column("session", "collisions_id", schema="core")
    op.drop_column("session", "car_damage_rate_id", schema="core")
    op.drop_column("session", "car_damage_id", schema="core")
    op.drop_column("session", "has_carcass_temperature", schema="core")
    op.drop_column("session", "has_assisted_starts", schema="core")
    op.drop_column("session", "has_hard_fuel_mode", schema="core")
    op.drop_column("session", "has_realistic_surface", schema="core")
    op.drop_column("session", "flashback_limit_id", schema="core")
    op.drop_column("session", "recovery_mode_id", schema="core")
    op.drop_column("session", "has_equal_cars", schema="core")
    op.drop_column("session", "traction_control_id", schema="core")
    op.drop_column("session", "abs_assist", schema="core")
    op.drop_column("session", "racing_line_id", schema="core")
    op.drop_column("session", "drs_assist", schema="core")
    op.drop_column("session", "ers_assist", schema="core")
    op.drop_column("session", "pit_release_assist", schema="core")
    op.drop_column("session", "pit_assist", schema="core")
    op.drop_column("session", "gearbox_assist_id", schema="core")
    op.drop_column("session", "braking_assist_id", schema="core")
    op.drop_column("session", "steering_assist", schema="core")
    op.drop_column("session", "time_of_day_min", schema="core")
    op.drop_column("session", "session_length_id", schema="core")
    op.drop_column("result", "tyre_stints", schema="core")
    op.drop_column("participant", "livery_colours", schema="core")
    op.drop_column("participant", "shows_online_name", schema="core")
    op.drop_column("participant", "tech_level", schema="core")
    op.drop_column("participant", "is_my_team", schema="core")
    op.drop_column("lap", "line_rewound", schema="core")
    op.drop_column("lap", "line_frame", schema="core")
    op.drop_column("lap", "start_position", schema="core")
    op.drop_table("safety_car_type", schema="ref")
    op.drop_table("safety_car_event", schema="ref")
    op.drop_table("rule_set", schema="ref")
    op.drop_table("game_mode", schema="ref")
    op.drop_table("drs_disabled_reason", schema="ref")
    op.drop_table("collision_severity", schema="ref")
    op.drop_table("weather_forecast", schema="core")
    op.drop_table("tyre_set", schema="core")
    op.drop_table("time_trial", schema="core")
    op.drop_table("setup", schema="core")
    op.drop_table("lobby_player", schema="core")
