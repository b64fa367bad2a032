"""How long a run waits for a Spark server that does not answer, and what it shows then.

The client's own policy waits for ten minutes at each call, without a word. A server that is lost for one call is lost
for the session, of which it had the views, so no other call waits for it again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc
from pyspark.errors import PySparkException
from pyspark.errors.exceptions.connect import SparkConnectGrpcException
from pyspark.sql.connect.client.retries import DefaultPolicy, RetryPolicyState

from transforms.engine import NoEngine

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PATIENCE_SECONDS = 180.0
_SHORT_SECONDS = 3.0  # a busy server can refuse a call for a moment
_REPORT_SECONDS = 60.0
_LONGEST_WAIT_SECONDS = 10.0
# a server that vanished without closing its connections is noticed by pings; Spark's servers close a connection on
# which they come more often than every five minutes
CHANNEL_OPTIONS = [
    ("grpc.keepalive_time_ms", 330_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
]
_DETAILS = re.compile(r'details = "(.*?)"')
_GONE = "INVALID_HANDLE.SESSION"  # how errors begin by which another server answers at the address


class LostServer(NoEngine):
    """A Spark server does not answer any more, or is another one; the message names it."""


class Patience(DefaultPolicy):
    """Calls a server again that does not answer, for a bounded time, and logs it.

    Args:
        remote: The address of the server.
        log: Receives a line when it does not answer, and each minute from then on.
    """

    def __init__(self, remote: str, log: Callable[[str], object]) -> None:
        super().__init__(max_retries=None, max_backoff=int(_LONGEST_WAIT_SECONDS * 1000), max_server_retry_delay=10_000)
        self.remote, self.is_over = remote, False
        self._log = log
        self._reported_at = -_REPORT_SECONDS

    def to_state(self) -> RetryPolicyState:
        """The waiting of one call."""
        return _Waiting(self)

    def report(self, seconds: float, error: BaseException | None) -> None:
        """Log that the server has not answered for some time, unless that was logged a moment ago."""
        now = time.monotonic()
        if seconds >= _SHORT_SECONDS and now - self._reported_at >= _REPORT_SECONDS:
            self._reported_at = now
            self._log(
                f"the Spark server at {self.remote} has not answered for {seconds:.0f} s ({describe_error(error)});"
                f" trying again for up to {PATIENCE_SECONDS:.0f} s"
            )


class _Waiting(RetryPolicyState):
    """How long one call has waited."""

    def __init__(self, policy: Patience) -> None:
        super().__init__(policy)
        self._patience, self._since = policy, time.monotonic()
        self._is_first = True

    def next_attempt(self, exception: BaseException | None = None) -> int | None:
        """Milliseconds until the next attempt; none if there is to be none."""
        if self._is_first:  # a call can have taken long before its connection was cut
            self._since, self._is_first = time.monotonic(), False
        seconds = time.monotonic() - self._since
        if self._patience.is_over or seconds > PATIENCE_SECONDS:
            return None
        self._patience.report(seconds, exception)
        return super().next_attempt(exception)


def describe_error(error: BaseException | None) -> str:
    """One line on an error of a connection."""
    text = str(error)
    match = _DETAILS.search(text)
    return " ".join((match[1] if match else text).split())[:200]


def get_patience(session: SparkSession) -> Patience:
    """How a session waits for its server."""
    (patience,) = (policy for policy in session.client.get_retry_policies() if isinstance(policy, Patience))
    return patience


@contextmanager
def report_lost_server(patience: Patience) -> Generator[None]:
    """Name a server that was lost.

    Raises:
        LostServer: It does not answer any more, or another one answers in its place.
    """
    if patience.is_over:
        raise LostServer(f"the Spark server at {patience.remote} was lost before")
    try:
        yield
    except (PySparkException, grpc.RpcError) as error:
        if not _is_lost(error):
            raise
        patience.is_over = True
        raise LostServer(
            f"the Spark server at {patience.remote} was lost ({describe_error(error)}); no table is half made, and"
            " the next run goes on from the tables that are made"
        ) from error


def _is_lost(error: PySparkException | grpc.RpcError) -> bool:
    if isinstance(error, SparkConnectGrpcException):
        return error.getGrpcStatusCode() == grpc.StatusCode.UNAVAILABLE or str(error.getCondition()).startswith(_GONE)
    return isinstance(error, grpc.Call) and error.code() == grpc.StatusCode.UNAVAILABLE
