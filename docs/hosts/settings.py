"""The example bank, with its approval pages in the look of HOST, a folder here."""

from pathlib import Path

from example_project.settings import *  # noqa: F403
from example_project.settings import TEMPLATES, env

HOST = Path(__file__).parent / env("HOST")
TEMPLATES[0]["DIRS"] = [HOST / "templates"]
#: Its own, and what docs/make_hosts.py has made.
STATICFILES_DIRS = [
    folder for folder in (HOST / "static", Path(env("HOSTS_STATIC"))) if folder.exists()
]
