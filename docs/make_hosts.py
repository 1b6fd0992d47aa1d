"""
Make the style sheets of docs/hosts: ``python -m docs.make_hosts FOLDER``.

They are Bootstrap's and Tailwind's own, from npm, and are kept nowhere here.
"""

import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / "hosts"
HOSTS = ["lines", "bootstrap", "tailwind"]
#: Others may look otherwise, so the pictures would too.
PACKAGES = ["bootstrap@5.3.9", "tailwindcss@4.3.5", "@tailwindcss/cli@4.3.5"]


def make(folder):
    """Put bootstrap.css and tailwind.css into it."""
    install = ["npm", "install", "--no-audit", "--no-fund", "--no-save", *PACKAGES]
    subprocess.run(install, cwd=folder, check=True, capture_output=True)
    bootstrap = folder / "node_modules/bootstrap/dist/css/bootstrap.min.css"
    shutil.copy(bootstrap, folder / "bootstrap.css")
    # Tailwind reads the classes that the templates use.
    shutil.copytree(FOLDER / "tailwind", folder / "tailwind")
    build = ["npx", "tailwindcss", "-i", "tailwind/site.css", "-o", "tailwind.css"]
    subprocess.run(build, cwd=folder, check=True, capture_output=True)
    return folder


def surroundings(host, styles):
    """Return the environment of a demo in the look of ``host``."""
    settings = {"DJANGO_SETTINGS_MODULE": "docs.hosts.settings"}
    return settings | {"HOST": host, "HOSTS_STATIC": str(styles)}


if __name__ == "__main__":
    make(Path(sys.argv[1]))
