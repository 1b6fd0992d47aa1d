"""Whether what is no text has a contrast too: edges, the ring of the focus, signs."""

import re
from pathlib import Path

import pytest

import django_magiclink

STYLE = Path(django_magiclink.__file__).parent / "static/django_magiclink"
#: What is on what, and how much of a contrast WCAG wants: 1.4.3 and 1.4.11.
PAIRS = [
    ("text", "card", 4.5),
    ("muted", "card", 4.5),
    ("good", "card", 4.5),
    ("bad", "card", 4.5),
    # A link, the code, the ring around the focus.
    ("accent", "card", 4.5),
    ("on-accent", "accent", 4.5),
    # On a narrow screen the card is the page.
    ("accent", "background", 3),
]


def colours():
    css = (STYLE / "magiclink.css").read_text()
    pairs = re.findall(r"--magiclink-([\w-]+): light-dark\((#\w+), (#\w+)\);", css)
    plain = dict(re.findall(r"^  --magiclink-([\w-]+): (#\w+);", css, re.M))
    by_day = {name: day for name, day, _ in pairs}
    assert by_day == plain
    return by_day, {name: night for name, _, night in pairs}


def brightness(colour):
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    ]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    low, high = sorted([brightness(one), brightness(other)])
    return (high + 0.05) / (low + 0.05)


def test_the_contrast_is_that_of_wcag():
    assert contrast("#000", "#ffffff") == 21
    assert round(contrast("#777", "#fff"), 2) == 4.48


@pytest.mark.parametrize(("part", "on", "least"), PAIRS)
def test_each_colour_can_be_told_from_what_it_is_on(part, on, least):
    for time in colours():
        assert contrast(time[part], time[on]) >= least
