"""Somebody who has nothing but Python, and does to the letter what a page says."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

#: Seconds for a step, on a machine that has much else to do.
PATIENCE = 180
NAME = "django-mideye-magiclink"


class Newcomer:
    """
    A reader in an empty ``folder``, for whom ``wheel`` is what pip finds.

    A context manager, which ends what was started.
    """

    def __init__(self, folder, wheel, python=sys.executable):
        self.folder = self._home = folder
        self.log = folder / "servers.log"
        self._servers = []
        constraint = folder / "constraint.txt"
        # Nobody else's of that name comes, whatever has been published meanwhile.
        constraint.write_text(f"{NAME} @ {wheel.as_uri()}\n")
        path = f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"
        # Nothing of the tests' own Python and Django.
        self.fresh = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("DJANGO_", "PYTHON", "MIDEYE_", "COV_", "VIRTUAL_"))
        } | {
            "PATH": path,
            "PIP_CONSTRAINT": str(constraint),
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_COMPILE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        self.environment = self.fresh

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for server in self._servers:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(PATIENCE)

    def run(self, lines, **environment):
        """Run lines in the terminal, which keeps its folder and its environment."""
        left = self._home / "terminal"
        script = f"{lines}\nenv -0 > '{left}'\n"
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            capture_output=True,
            cwd=self.folder,
            env=self.environment | environment,
            text=True,
            timeout=PATIENCE * 3,
        )
        assert done.returncode == 0, f"{lines}\n{done.stdout}\n{done.stderr}"
        pairs = left.read_text().rstrip("\0").split("\0")
        after = dict(pair.split("=", 1) for pair in pairs)
        before = {name: self.environment.get(name, "") for name in environment}
        self.environment = after | before
        self.folder = Path(after["PWD"])
        return done.stdout

    def start(self, lines, **environment):
        """Run lines in a terminal of their own, which do not end by themselves."""
        with self.log.open("a") as log:
            server = subprocess.Popen(
                ["bash", "-e", "-c", lines],
                cwd=self.folder,
                env=self.fresh | environment,
                start_new_session=True,
                stderr=log,
                stdout=log,
            )
        self._servers.append(server)

    def follow(self, blocks, within=""):
        """
        Do what each block says: run it, or write it where it belongs.

        What it names files from is the folder ``within`` this one.
        """
        for block in blocks:
            if block.is_elsewhere:
                self.start(block.text)
            elif block.language == "console":
                self.run(block.text)
            elif block.is_whole:
                self.write(block.file, block.text)
            elif block.file:
                self.add(Path(within, block.file), block.text)

    def write(self, file, text):
        """Put ``text``, and nothing else, into a file."""
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def add(self, file, text):
        """Put ``text`` at the end of a file."""
        with (self.folder / file).open("a") as opened:
            opened.write(f"\n\n{text}")

    def wait_for(self, condition):
        """Return what ``condition`` returns, once that is true and all servers run."""
        end = time.monotonic() + PATIENCE
        while not (found := condition()):
            running = all(server.poll() is None for server in self._servers)
            assert running and time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)
        return found
