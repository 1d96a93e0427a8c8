"""Files with secrets. Standard library only."""

import os
from pathlib import Path


def write(path: Path, content: str | bytes, mode: int = 0o600) -> None:
    """Replaces a file in one step: who reads it meanwhile gets the old or the new one, and nobody else gets either."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode), "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
    part.replace(path)
