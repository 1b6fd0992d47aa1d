"""What can be wrong with a catalogue of translations, and with words left out of it."""

import html
import re

#: What is filled in, in each of the ways that strings here have it.
_PLACEHOLDERS = re.compile(r"%\(\w+\)[a-z]|%[a-z%]|\{\w*\}")
#: Of a template: what no browser shows, and what is translated or comes from elsewhere.
_NOT_WORDS = re.compile(
    r"\{%\s*comment.*?endcomment\s*%\}"
    r"|\{%\s*block bodyclass.*?endblock\s*%\}"
    r"|\{%\s*blocktranslate.*?endblocktranslate\s*%\}"
    r"|\{%.*?%\}|\{\{.*?\}\}",
    re.DOTALL,
)
_SPOKEN = re.compile(r"""\s(?:alt|aria-label|placeholder|title)=(["'])(.*?)\1""")


def problems(catalogue, marked):
    """Return what is wrong with ``catalogue``, of a code that has ``marked``."""
    found = {_key(entry): entry for entry in catalogue}
    wanted = {_key(entry) for entry in marked}
    said = [f"missing: {msgid}" for msgid, *_ in wanted - found.keys()]
    said += [f"of no use: {msgid}" for msgid, *_ in found.keys() - wanted]
    forms = int(re.search(r"nplurals=(\d)", catalogue.metadata["Plural-Forms"])[1])
    for entry in catalogue:
        said += [f"{what}: {entry.msgid}" for what in _problems(entry, forms)]
    return sorted(said)


def untranslated(template):
    """Return the words that a template shows in every language."""
    shown = _NOT_WORDS.sub(" ", template)
    texts = [text for _quote, text in _SPOKEN.findall(shown)]
    texts.append(html.unescape(re.sub(r"<[^>]*>", " ", shown)))
    # "s" is the sign for seconds everywhere.
    return [word for text in texts for word in re.findall(r"[^\W\d_]{2,}", text)]


def _key(entry):
    return entry.msgid, entry.msgid_plural, entry.msgctxt


def _problems(entry, forms):
    if entry.fuzzy:
        yield "fuzzy"
    if entry.obsolete:
        yield "obsolete"
    if entry.msgid_plural and len(entry.msgstr_plural) != forms:
        yield "without a form"
    for said, meant in _pairs(entry):
        if not said:
            yield "empty"
        elif sorted(_PLACEHOLDERS.findall(said)) != sorted(
            _PLACEHOLDERS.findall(meant)
        ):
            yield "other placeholders"
        elif _end(said) != _end(meant):
            yield "another end"


def _pairs(entry):
    """Yield each form with the English one that it stands for."""
    if not entry.msgid_plural:
        yield entry.msgstr, entry.msgid
    for form, said in entry.msgstr_plural.items():
        yield said, entry.msgid_plural if form else entry.msgid


def _end(text):
    """Return the sign that ends a sentence, if it is one."""
    return text[-1] if text[-1:] in (".", ":", "?") else ""
