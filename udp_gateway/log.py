"""JSON lines on standard output, one an event, UTC."""

import logging

import structlog


def configure(level: str) -> None:
    """`level` is debug, info, warning or error."""
    # A port scan or a page closed halfway through the handshake is nothing to print a traceback for.
    logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
    )
