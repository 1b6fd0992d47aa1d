"""Give the SBOM our version, and fail unless it has all that the package asks for."""

import json
import re
import sys
import tomllib
from pathlib import Path

path = Path(sys.argv[1])
sbom = json.loads(path.read_text())
project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
wanted = {re.match(r"[\w.-]+", need)[0] for need in project["dependencies"]}

root = sbom["metadata"]["component"]
parts = {part["bom-ref"]: part for part in sbom["components"]}
[needs] = [each for each in sbom["dependencies"] if each["ref"] == root["bom-ref"]]
needed = [parts[ref] for ref in needs["dependsOn"]]
found = {part["name"].lower() for part in needed if part["version"]}
if found != wanted:
    sys.exit(f"The SBOM has {sorted(found)}, and the package needs {sorted(wanted)}.")

# pyproject.toml leaves it to the module, and so the tool does not find it.
source = Path("django_magiclink/__init__.py").read_text()
root["version"] = re.search(r'__version__ = "(.+)"', source)[1]
root["purl"] = f"pkg:pypi/{root['name']}@{root['version']}"
path.write_text(json.dumps(sbom, indent=2) + "\n")
print(f"The SBOM of {root['purl']} has {len(parts)} packages.")
