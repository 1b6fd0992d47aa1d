"""Answers that come at the same time, whatever had to be done for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Seconds, far more than asking a phone takes, also on a machine that has much to do:
#: finding its user, a few statements and the start of a thread.
STEP = 1.0
#: How much of that is enough for one or two statements.
SHORT = 0.3


@contextmanager
def even(share: float = 1.0) -> Iterator[None]:
    """Let the block take a whole number of steps, so that it tells nothing by time."""
    start, step = time.monotonic(), STEP * share
    try:
        yield
    finally:
        time.sleep(step - (time.monotonic() - start) % step)
