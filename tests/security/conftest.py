import pytest
from django.core.cache import cache


def pytest_itemcollected(item):
    ids = [each for mark in item.iter_markers("covers") for each in mark.args]
    if ids:
        item.user_properties.append(("covers", " ".join(ids)))


@pytest.hookimpl(wrapper=True)
def pytest_report_teststatus(report):
    category, letter, word = yield
    ids = dict(getattr(report, "user_properties", ())).get("covers")
    if ids and word == "PASSED":
        # With "-v", what the test is about.
        word = f"{word} {ids}"
    return category, letter, word


@pytest.fixture
def empty_cache():
    cache.clear()
    yield cache
    cache.clear()
