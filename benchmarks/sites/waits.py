"""Settings of ``waiting`` and ``pending``: the tests' site, without limits."""

from tests.settings import *  # noqa: F403
from tests.settings import env

ROOT_URLCONF = "benchmarks.sites.waits_urls"
# Nobody rings one phone as often as a benchmark does.
MAGICLINK_LIMITS = {
    "cooldown": None,
    "reject_cooldown": None,
    "per_15_min": None,
    "per_day": None,
    "rejects_lock": None,
    "no_answers_lock": None,
}
MAGICLINK_CA_FILE = env("MIDEYE_CA_FILE", default="")
