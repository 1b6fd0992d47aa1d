"""Each requirement and attack has a test, and the page in docs says which."""

import pytest

from docs import make_requirements

from .catalogue import CATALOGUE


@pytest.fixture(scope="module")
def covered():
    return make_requirements.covered()


def test_each_requirement_and_attack_has_a_test_here(covered):
    assert make_requirements.missing(covered) == []


def test_no_test_names_what_is_not_in_the_catalogue(covered):
    assert sorted(covered.keys() - CATALOGUE) == []


def test_the_page_is_made_of_the_tests(covered):
    assert make_requirements.PAGE.read_text() == make_requirements.made(covered)


def test_what_only_a_test_elsewhere_covers_is_missing():
    tests = dict.fromkeys(CATALOGUE, ["security/test_x.py::test_x"])

    assert make_requirements.missing(tests) == []
    assert make_requirements.missing(tests | {"R05": ["test_x.py::test_x"]}) == ["R05"]
