"""What a process uses, as Linux counts it."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


class Usage:
    """Memory in KiB, of which pages that are shared count in part, and CPU in ms."""

    def __init__(self, pid):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        self.memory = sum(
            int(line.split()[1]) for line in rollup if line.startswith("Pss:")
        )
        self.cpu = cpu(pid)


def cpu(pid):
    """Return the processor time of a process until now, in ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / _TICKS


def files(pid, suffix):
    """Return how many files are open whose names end so."""
    opened = Path(f"/proc/{pid}/fd").iterdir()
    return sum(_target(each).endswith(suffix) for each in opened)


def _target(link):
    try:
        return os.readlink(link)
    except OSError:
        # Closed meanwhile.
        return ""
