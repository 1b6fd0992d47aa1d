import os

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import sync_playwright

from example_project.people import make_people

PASSWORD = "correct horse"


@pytest.fixture
def anna(db):
    make_people(PASSWORD)
    return User.objects.get(username="anna")


@pytest.fixture
def admin(anna):
    return User.objects.get(username="admin")


@pytest.fixture
def client(client, anna):
    client.force_login(anna)
    return client


@pytest.fixture
def phone(anna, mideye):
    return mideye.phone(anna)


@pytest.fixture
def page(live_server):
    with sync_playwright() as playwright:
        # Its own, or the one of the system.
        chromium = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM")
        )
        yield chromium.new_page(base_url=live_server.url)
        chromium.close()
