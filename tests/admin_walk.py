"""An administrator's way through the admin, for a test and for the pictures of it."""

import re
from types import SimpleNamespace
from urllib.parse import urlsplit

from playwright.sync_api import expect

from django_magiclink.sandbox.issuer import issue_key

ADMINS_PHONE = "+46701740606"
OURS = "admin/django_magiclink/"


class AdminWalk:
    """
    What the demo's admin does with a new endpoint, from its first key to its figures.

    ``look`` is called with a name wherever there is something to see.
    """

    def __init__(self, page, phone, demo, look):
        self.page, self.phone, self.demo, self.look = page, phone, demo, look
        self.server = f"http://{urlsplit(demo.phone).netloc}"

    def log_in(self, name, password):
        self.page.goto(f"{self.demo.site}admin/")
        self.page.fill("[name=username]", name)
        self.page.fill("[name=password]", password)
        self.page.get_by_role("button", name="Log in").click()

    def add_endpoint(self, name):
        self.page.goto(f"{self.demo.site}{OURS}endpoint/add/")
        self.page.fill("[name=name]", name)
        self.page.fill("[name=base_url]", self.server)
        self.look("endpoint")
        self.press("Save")

    def set_key(self, name):
        """Enter a key that the sandbox has made, and return it."""
        made = SimpleNamespace(name=name, base_url=self.server, endpoint_name="")
        secret, expires_on = issue_key(made)
        self.press("Approve with my phone")
        self.accept()
        expect(self.page.locator("[name=secret]")).to_be_visible()
        self.look("key")
        self.page.fill("[name=name]", name)
        self.page.fill("[name=secret]", secret)
        self.page.fill("[name=expires_on]", expires_on.isoformat())
        self.press("Keep it, to try it")
        expect(self.page.locator("#content")).to_contain_text("is not in use")
        return secret

    def test_with_phone(self):
        self.page.get_by_role("link", name=re.compile("Test .*with my phone")).click()
        self.press("Ring my phone")
        dialog = self.page.get_by_role("dialog")
        expect(dialog.locator("[data-code]")).to_have_text(re.compile(r"\d\d"))
        self.look("test")
        self.accept()
        expect(self.page.locator(".messagelist .success")).to_contain_text("It works")

    def use_new_key(self):
        self.page.get_by_role("link", name="Go on with the new key").click()
        self.look("try")
        self.press("Use the new key")
        expect(self.page.locator(".messagelist .success")).to_contain_text("is in use")

    def regenerate(self):
        self.press("Get a new key")
        self.press("Use the new key")
        expect(self.page.locator(".messagelist .success")).to_contain_text("is in use")

    def roll_back(self, key):
        self.look("back")
        self.press("Use it again")
        said = self.page.locator(".messagelist .success")
        expect(said).to_contain_text(f"{key[-4:]}) is in use")

    def list_endpoints(self):
        self.page.goto(f"{self.demo.site}{OURS}endpoint/")
        self.look("endpoints")

    def audit(self):
        self.page.goto(f"{self.demo.site}{OURS}approval/")
        self.look("audit")
        self.page.locator("#result_list tbody th a").first.click()
        expect(self.page.locator(".magiclink-timeline")).to_be_visible()
        self.look("approval")

    def export(self):
        """Return what the audit's export holds."""
        self.page.goto(f"{self.demo.site}{OURS}approval/")
        with self.page.expect_download() as download:
            self.page.get_by_role("link", name="Export as CSV").click()
        return download.value.path().read_text()

    def dashboard(self):
        self.page.goto(f"{self.demo.site}{OURS}")
        self.page.get_by_role("link", name="Dashboard").click()
        expect(self.page.locator("canvas").first).to_be_visible()
        self.look("dashboard")

    def accept(self):
        self.phone.goto(self.demo.phone_of(ADMINS_PHONE))
        self.phone.locator("button[value=accept]").first.click()

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()
