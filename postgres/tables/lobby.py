"""What happens before there is a session."""

from sqlalchemy import Boolean, Integer, SmallInteger, Table, Text

from postgres.columns import INSTANT, always, key, metadata, value

lobby_player = Table(
    "lobby_player",
    metadata,
    key("rig", Text, "name of the rig that sent it"),
    key("minute", INSTANT, "in which the sample arrived"),
    key("slot", SmallInteger, "place in the lobby, 0-based; names repeat and are no key"),
    always("arrived_at", INSTANT, "of the sample that this row shows, the newest of the minute that had this slot"),
    always("packet_format", SmallInteger, "2023 … 2026"),
    always("game_year", SmallInteger, "23 … 25; team ids depend on it"),
    always("players", SmallInteger, "in the lobby at this sample"),
    always("name", Text, "as the game shows it; Player for those who hide theirs"),
    always("is_ai", Boolean, "driven by the game, not by a person"),
    value("team_id", Integer, "ref.team, with game_year; NULL = none chosen yet"),
    value("nationality_id", SmallInteger, "ref.nationality; NULL = none"),
    value("platform_id", SmallInteger, "1 Steam, 3 PlayStation, 4 Xbox, 6 Origin; NULL = unknown"),
    value("race_number", SmallInteger, "on the car; NULL = none"),
    always("ready_status_id", SmallInteger, "0 not ready, 1 ready, 2 spectating"),
    value("is_telemetry_public", Boolean, "the player's setting; NULL in 2023"),
    value("shows_online_name", Boolean, "the player's setting; NULL in 2023"),
    value("tech_level", Integer, "of an F1 World car; NULL = none, or in 2023"),
    schema="core",
    comment=(
        "Who waited in a lobby: one row for each rig, minute and slot. From LobbyInfo packets. A lobby has no session: "
        "the session UID is 0 there, so these rows are told apart by their time of arrival."
    ),
    info={"packets": ("lobby_info",)},
)
