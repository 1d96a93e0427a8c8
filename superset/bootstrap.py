"""Brings a Superset to what this folder says: metadata tables, roles, the admin, and the dashboards as code.

    .pitlane/superset-venv/bin/python superset/bootstrap.py      with SUPERSET_CONFIG_PATH and Pitlane's variables

One process does it all, because starting Superset's app takes longer than the work. A second run changes nothing but
the admin's password, which is set again, and the assets, which are overwritten: what people make themselves under
names of their own stays. Runs in Superset's environment, so it reads os.environ (names as in pitlane/settings.py).
"""

import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).parent / "assets"
DATABASE = "databases/pitlane.yaml"
ADMIN = "admin"
SECRETS = (
    "PITLANE_SUPERSET_SECRET_KEY",
    "PITLANE_SUPERSET_DATABASE_PASSWORD",
    "PITLANE_SUPERSET_ADMIN_PASSWORD",
    "PITLANE_POSTGRES_READER_PASSWORD",
)


def main() -> None:
    # Must be there before Superset is imported: it reads its configuration at import.
    os.environ.setdefault("SUPERSET_CONFIG_PATH", str(Path(__file__).parent / "superset_config.py"))
    missing = [name for name in SECRETS if not os.environ.get(name)]
    if missing:
        sys.exit(f"not set: {', '.join(missing)} (`pitlane up` writes them to the stack's env file)")
    started = time.monotonic()

    def say(what: str) -> None:
        print(f"[{time.monotonic() - started:5.1f} s] {what}", flush=True)

    from superset.app import create_app

    app = create_app()
    logging.getLogger().setLevel(logging.WARNING)
    say("Superset loaded")
    with app.app_context():
        _upgrade_metadata()
        say("metadata tables are up to date")
        _sync_roles()
        say("roles are up to date")
        admin = _set_admin(os.environ["PITLANE_SUPERSET_ADMIN_PASSWORD"])
        say(f"user {ADMIN} can log in")
        say(f"{_import_assets(admin)} asset files imported")


def _upgrade_metadata() -> None:
    from flask_migrate import upgrade

    import superset

    upgrade(directory=str(Path(superset.__file__).parent / "migrations"))


def _sync_roles() -> None:
    """What `superset init` does."""
    from superset.extensions import appbuilder

    from superset import security_manager

    appbuilder.add_permissions(update_perms=True)
    security_manager.sync_role_definitions()


def _set_admin(password: str) -> Any:
    from superset import security_manager

    user = security_manager.find_user(ADMIN)
    if user is None:
        role = security_manager.find_role("Admin")
        # .invalid never resolves (RFC 2606): nobody gets mail for it.
        return security_manager.add_user(ADMIN, "Pitlane", "Admin", "admin@pitlane.invalid", role, password=password)
    security_manager.reset_password(user.id, password)
    return user


def _import_assets(user: Any) -> int:
    """Imports assets/**/*.yaml, overwriting. (`superset import-dashboards` would silently keep what exists.)"""
    from superset.commands.exceptions import CommandInvalidError, ImportFailedError
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.utils.core import override_user

    contents = {path.relative_to(ASSETS).as_posix(): path.read_text("utf-8") for path in ASSETS.rglob("*.yaml")}
    contents[DATABASE] = contents[DATABASE].replace("127.0.0.1:20785/pitlane", _database_place())
    passwords = {DATABASE: os.environ["PITLANE_POSTGRES_READER_PASSWORD"]}
    with override_user(user):
        try:
            ImportAssetsCommand(contents, passwords=passwords).run()
        except CommandInvalidError as error:
            sys.exit(f"the assets cannot be imported: {error.normalized_messages()}")
        except ImportFailedError as error:  # "Import failed for an unknown reason": its cause knows, in many lines
            sys.exit(f"the assets cannot be imported: {' '.join(str(error.__cause__).split())}")
    return len(contents)


def _database_place() -> str:
    host = os.environ.get("PITLANE_POSTGRES_HOST", "127.0.0.1")
    port = os.environ.get("PITLANE_POSTGRES_PORT", "20785")
    return f"{host}:{port}/{os.environ.get('PITLANE_POSTGRES_DATABASE', 'pitlane')}"


if __name__ == "__main__":
    main()
