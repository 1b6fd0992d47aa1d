"""What ran, for under a table."""

import os
import platform
from importlib.metadata import version


def machine(packages):
    """Return a line about the machine and the versions of ``packages``."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    python = f"Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {platform.machine()}, {python}, {versions}."
