"""Answers that come at the same time, whatever had to be done for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

#: Seconds, far more than asking a phone takes: finding its user, a few statements and
#: the start of a thread. A password's hash costs as long, and the processor as well.
STEP = 0.3


@contextmanager
def even() -> Iterator[None]:
    """Let the block take a whole number of steps, so that it tells nothing by time."""
    start = time.monotonic()
    try:
        yield
    finally:
        time.sleep(STEP - (time.monotonic() - start) % STEP)
