"""How often one address may begin, whether there is anybody to ask or not."""

from __future__ import annotations

import logging
import time

from django.core.cache import cache
from django.utils.crypto import salted_hmac

from ..limits import value_of

logger = logging.getLogger("django_magiclink")

#: Seconds that are counted together, and those for which the limit holds. What is
#: counted covers more than the rows that limits.check() counts, never less: who was
#: asked for then makes no difference to who still may be.
_SLICE, _HOUR = 300, 3600


def take(address: str) -> bool:
    """Count a beginning, and tell whether ``address`` may still make a phone ring."""
    most = value_of("anonymous_per_hour")
    if most is None:
        return True
    now = int(time.time()) // _SLICE
    keys = [_key(address, now - ago) for ago in range(_HOUR // _SLICE + 1)]
    try:
        # Counted first: of two at the same time neither finds the other's place free.
        cache.add(keys[0], 0, _HOUR + 2 * _SLICE)
        cache.incr(keys[0])
        if sum(cache.get_many(keys).values()) <= most:
            return True
        cache.decr(keys[0])
    except Exception as error:
        # The rows still count.
        logger.error("Logins are not counted: %s", type(error).__name__)
        return True
    return False


def give_back(address: str, began: int) -> None:
    """Count a beginning no more that has logged in, as the rows do not count it."""
    try:
        cache.decr(_key(address, began // _SLICE))
    except Exception as error:
        # Forgotten meanwhile, or never counted.
        logger.debug("A login is not given back: %s", type(error).__name__)


def is_first_today(kind: str, user: object) -> bool:
    """Tell whether nobody has asked that within a day."""
    try:
        return cache.add(f"django_magiclink.{kind}.{user}", 1, 86400)
    except Exception as error:
        logger.error("A notice is not counted: %s", type(error).__name__)
        return True


def _key(address: str, part: int) -> str:
    # Memcached takes no spaces, and no address should stand in a cache.
    digest = salted_hmac("django_magiclink.budget", address, algorithm="sha256")
    return f"django_magiclink.begun.{digest.hexdigest()[:32]}.{part}"
