"""Which errors of a step are retried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dagster as dg

from orchestration.ingest.snapshots import DamagedSnapshot

# reading and writing touch the disk, which can be busy for a moment; a wrong query stays wrong
RETRY = dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL)


def fail_without_retry(make: Callable[[], Any]) -> Any:
    """The result of a call; a fault of the disk may be retried, any other error fails the step at once.

    Raises:
        dg.Failure: It failed with an error that would come again, such as a table that was never made.
    """
    try:
        return make()
    except (FileNotFoundError, DamagedSnapshot) as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    except OSError:
        raise
    except Exception as error:
        raise dg.Failure(description=f"{type(error).__name__}: {error}", allow_retries=False) from error
