"""Superset's configuration. No secrets and no addresses: they come from the same variables as everywhere.

Superset imports this module by the path in SUPERSET_CONFIG_PATH, in its own environment without pydantic, so it
reads os.environ; the names and defaults are those of pitlane/settings.py.
"""

import copy
import os
from urllib.parse import quote

from superset.config import TALISMAN_CONFIG as DEFAULT_TALISMAN_CONFIG

SECRET_KEY = os.environ["PITLANE_SUPERSET_SECRET_KEY"]
SQLALCHEMY_DATABASE_URI = "postgresql+psycopg2://superset:{password}@{host}:{port}/superset".format(
    password=quote(os.environ["PITLANE_SUPERSET_DATABASE_PASSWORD"], safe=""),
    host=os.environ.get("PITLANE_POSTGRES_HOST", "127.0.0.1"),
    port=os.environ.get("PITLANE_POSTGRES_PORT", "20785"),
)
SQLALCHEMY_ENGINE_OPTIONS = {"pool_pre_ping": True}
"""Postgres may restart below a running Superset: then the next request connects again instead of failing."""

APP_NAME = "Pitlane"
# Two stacks on one machine are two ports of one host, and browsers send cookies to every port of a host: with one
# name for all, a log-in to one Superset would end the log-in to the other.
SESSION_COOKIE_NAME = f"pitlane_{os.environ.get('PITLANE_SUPERSET_PORT', '20786')}"

# Without Redis each worker would count for itself, which limits nothing.
RATELIMIT_ENABLED = False

# Charts are not cached (Superset's default): a query takes milliseconds, and people watch a race as it comes in.

FEATURE_FLAGS = {
    # Jinja in SQL runs code for whoever may write a query; the mart views make it unnecessary.
    "ENABLE_TEMPLATE_PROCESSING": False,
    # Both need a worker with a browser, which is not run here.
    "ALERT_REPORTS": False,
    "THUMBNAILS": False,
    "DRILL_BY": True,
    "DRILL_TO_DETAIL": True,
}
ALLOW_FULL_CSV_EXPORT = True

# The page fetches nothing from outside. Superset's own policy lists a tracking pixel, fonts and map tiles.
TALISMAN_ENABLED = True
TALISMAN_CONFIG = copy.deepcopy(DEFAULT_TALISMAN_CONFIG)
TALISMAN_CONFIG["content_security_policy"].update(
    {
        "img-src": ["'self'", "blob:", "data:"],
        "connect-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'"],
    }
)

# One colour for each of 24 cars, none twice; neighbours in the list are far apart.
EXTRA_CATEGORICAL_COLOR_SCHEMES = [
    {
        "id": "pitlane",
        "label": "Pitlane",
        "description": "24 cars apart",
        "colors": [
            "#1f77e4", "#e6532b", "#12a37f", "#9b4dca", "#e0a100", "#00a6d6", "#d6246e", "#6b8e23",
            "#3d3d99", "#ff8c42", "#0f6b5c", "#c77dff", "#8c5a2b", "#4fb3bf", "#b3123f", "#7cb518",
            "#5c6b7a", "#ff6fae", "#2a9d2a", "#7b2cbf", "#b58900", "#264a73", "#f06449", "#a0a8b0",
        ],
    }
]  # fmt: skip
# From ahead (green) over even (grey) to behind (red), for differences of two drivers.
EXTRA_SEQUENTIAL_COLOR_SCHEMES = [
    {
        "id": "pitlane_duel",
        "label": "Pitlane duel",
        "description": "ahead, even, behind",
        "isDiverging": True,
        "colors": ["#12a37f", "#8fd0bf", "#f2f2f2", "#f2ab98", "#e6532b"],
    }
]
