"""The lines that a run prints: what the steps log themselves, without Dagster's own events, which its UI shows."""

from __future__ import annotations

import logging
import sys

import dagster as dg

from warehouse.terminal_text import escape_controls


class _LineFormatter(logging.Formatter):
    """One line: the message of a step, marked if it is a warning, or the reason of a failure.

    It may quote texts from outside, so control characters are written out and further lines are indented.
    """

    def format(self, record: logging.LogRecord) -> str:
        return escape_controls(self._describe(record)).replace("\n", "\n    ")

    @staticmethod
    def _describe(record: logging.LogRecord) -> str:
        event = _get_event(record)
        if event is not None:
            failure = event.step_failure_data
            reason = failure.user_failure_data.description if failure.user_failure_data else None
            error = failure.error_display_string.strip()
            return f"✗ {event.step_key}: {reason or error}"
        message = getattr(record, "dagster_meta", {}).get("orig_message") or record.getMessage()
        return ("! " if record.levelno >= logging.WARNING else "  ") + message


def _get_event(record: logging.LogRecord) -> dg.DagsterEvent | None:
    return getattr(record, "dagster_meta", {}).get("dagster_event")


def _is_shown(record: logging.LogRecord) -> bool:
    """Whether a record is a step's own message or a step's failure."""
    event = _get_event(record)
    if event is not None:
        return event.is_step_failure
    return not record.getMessage().startswith("Dependencies for step") and "Not executing" not in record.getMessage()


def _build_logger(_: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("aisle", logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_is_shown)
    handler.setFormatter(_LineFormatter())
    logger.addHandler(handler)
    return logger


RUN_LOG = dg.LoggerDefinition(_build_logger, description="Only the messages of the steps themselves.")
