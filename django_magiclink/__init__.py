"""Ask for an approval on the user's phone before a sensitive Django view runs."""

__version__ = "0.1.0"
