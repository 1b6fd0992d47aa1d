"""Make magiclink.js of its source: ``python -m docs.make_script``."""

import subprocess
from pathlib import Path

STATIC = Path(__file__).parent.parent / "django_magiclink/static/django_magiclink"
SOURCE, SCRIPT = STATIC / "magiclink.src.js", STATIC / "magiclink.js"
#: Another version may write it differently, so the tests pin it too.
TERSER = "terser@5.51.4"
BANNER = "/* The source is magiclink.src.js. */"


def made():
    """Return what magiclink.js must be."""
    form = f"preamble='{BANNER}'"
    options = ["--module", "--compress", "--mangle", "--format", form]
    command = ["npx", "--yes", TERSER, SOURCE, *options]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return f"{done.stdout.strip()}\n"


if __name__ == "__main__":
    SCRIPT.write_text(made())
