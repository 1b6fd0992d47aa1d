"""A project as README and pages have it, for the commands that they give."""

import os
import subprocess
import sys

from cryptography.fernet import Fernet

from .pages import ROOT, blocks_of


def code_of(name):
    """Return the blocks of Python on a page."""
    blocks = blocks_of((ROOT / name).read_text())
    return [block.text for block in blocks if block.language == "python"]


#: Opens the keys in the project's database.
FIELD_KEY = Fernet.generate_key().decode()
TASKS = "project.with_tasks"
KEY = (
    "python manage.py magiclink_key --endpoint default --stdin "
    "< /run/secrets/mideye_key"
)
ENDPOINT = (
    "from django_magiclink.models import Endpoint; "
    "Endpoint.objects.create(name='default', base_url='https://mideye.example.com')"
)
SETTINGS = f"""
{code_of("docs/howto/endpoints.md")[0]}
CELERY_BROKER_URL = "memory://"
# Django 6.1 begins a project with mails to the console, which no deployment may have.
MAILERS = {{"default": {{"BACKEND": "django.core.mail.backends.smtp.EmailBackend"}}}}
STATIC_ROOT = BASE_DIR / "static"
"""
CELERY = """
from celery import Celery

app = Celery("project")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
"""


class Project:
    """A project as the pages have it, with an endpoint and its key in the database."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "mideye_key").write_text("7c8d0a0e-a-key-of-mideye\n")
        self.run("django-admin startproject project .", DJANGO_SETTINGS_MODULE="")
        settings, urls, *_rest = code_of("README.md")
        self._write("settings.py", f"{settings}{SETTINGS}", "a")
        self._write("urls.py", urls, "a")
        self._write("celery.py", CELERY)
        self._write("__init__.py", "from .celery import app\n")
        _stranger, celery, tasks = code_of("docs/howto/deploy.md")
        self._write("with_celery.py", f"from .settings import *\n{celery}")
        self._write("with_tasks.py", f"from .settings import *\n{tasks}")
        self.run("python manage.py migrate", DJANGO_SETTINGS_MODULE=TASKS)
        self.run(f'python manage.py shell -c "{ENDPOINT}"')
        self.run(KEY)

    def run(self, command, **environment):
        """Run a command to its end, and return what it says."""
        done = subprocess.run(
            ["bash", "-c", self._line(command)],
            capture_output=True,
            cwd=self.folder,
            env=self.environment | environment,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, command, log, **environment):
        """Run a command that does not end by itself."""
        return subprocess.Popen(
            ["bash", "-c", f"exec {self._line(command)}"],
            cwd=self.folder,
            env=self.environment | environment,
            stderr=log,
            stdout=log,
        )

    @property
    def environment(self):
        path = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "GUNICORN_CMD_ARGS": "--bind=127.0.0.1:0",
            "MAGICLINK_FIELD_KEY": FIELD_KEY,
            "PATH": path,
            "PYTHONPATH": str(ROOT),
            "UVICORN_PORT": "0",
            "XDG_RUNTIME_DIR": str(self.folder),
        }

    def _line(self, command):
        # Nobody but root writes where secrets are.
        return command.replace("/run/secrets", str(self.folder))

    def _write(self, name, text, mode="w"):
        with (self.folder / "project" / name).open(mode) as file:
            file.write(text)
