"""Fail unless the SBOM has each package that ours asks for, with its version."""

import json
import re
import sys
import tomllib
from pathlib import Path

sbom = json.loads(Path(sys.argv[1]).read_text())
project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
wanted = {re.match(r"[\w.-]+", need)[0] for need in project["dependencies"]}

versions = {part["bom-ref"]: part.get("version") for part in sbom["components"]}
names = {part["bom-ref"]: part["name"].lower() for part in sbom["components"]}
root = sbom["metadata"]["component"]
[needs] = [part for part in sbom["dependencies"] if part["ref"] == root["bom-ref"]]
found = {names[ref] for ref in needs["dependsOn"] if versions[ref]}

if root["name"] != project["name"] or found != wanted:
    sys.exit(f"The SBOM of {root['name']} has {sorted(found)}, not {sorted(wanted)}.")
print(f"The SBOM of {root['name']} has {len(names)} packages, all that it needs.")
