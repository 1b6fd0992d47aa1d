"""What a page of the documentation tells a reader to do."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: Where there are commands for readers.
PAGES = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    ROOT / "benchmarks/README.md",
    ROOT / "mutation/README.md",
]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(Add to|Write|In) `(\S+)`:\s*\Z")


@dataclass(frozen=True)
class Block:
    """What a fence holds: a console's lines, or what is to be in a file."""

    #: The paragraph over it.
    over: str
    language: str
    text: str

    @property
    def file(self):
        """The file that it says it is for, or ``None``."""
        found = _FILE.search(self.over)
        return found and found[2]

    @property
    def is_whole(self):
        """Whether the file has nothing else in it."""
        return self.over.startswith("Write ")

    @property
    def is_elsewhere(self):
        """Whether it is for a terminal of its own."""
        return "nother terminal" in self.over

    @property
    def commands(self):
        """Its lines, without remarks."""
        return [re.sub(r"\s+# .+", "", line) for line in self.text.splitlines()]


def blocks_of(text):
    """Return the blocks of a page, or of a part of one, in their order."""
    blocks, end = [], 0
    for found in _FENCE.finditer(text):
        over = text[end : found.start()].rstrip("\n").rpartition("\n\n")[2].lstrip("\n")
        blocks.append(Block(over, *found.groups()))
        end = found.end()
    return blocks


def parts_of(page):
    """Return the blocks below each heading of the second level."""
    parts = re.split(r"^## (.+)\n", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], map(blocks_of, parts[2::2]), strict=True))


def commands_of(path):
    """Return all that a page has for a console."""
    blocks = blocks_of(path.read_text())
    return [
        command
        for block in blocks
        if block.language == "console"
        for command in block.commands
    ]
