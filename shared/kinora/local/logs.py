"""Where this process's own log lines go: to standard error, so that standard output holds results only. Used by `up` and `put`."""

from __future__ import annotations

import logging
import sys

from kinora.api.credentials import without_credentials


def log_to_terminal(level: int) -> None:
    """Let local mode speak from `level` on, and what it calls of the house (through Powertools) on standard error, too."""
    from kinora.observability import logger

    own = logging.getLogger("kinora.local")
    own.setLevel(level)
    own.propagate = False  # the logger above it writes JSON, for CloudWatch
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    own.handlers = [terminal]
    for handler in logging.getLogger(logger.name).handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(sys.stderr)


class WithoutCredentials(logging.Filter):
    """For the log of requests, whose arguments are addresses with tokens and signatures in them."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(without_credentials(one) if isinstance(one, str) else one for one in record.args)
        return True
