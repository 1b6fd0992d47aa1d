"""magiclink.js in pages of a host, in Chromium and under a strict CSP."""

import hashlib
import json
import re
from datetime import timedelta
from urllib.parse import urlencode

import pytest
import time_machine
from django.utils import timezone
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from django_magiclink.models import Approval, PhoneNumber
from docs import make_script

from .browsers import launched
from .models import Run

pytestmark = pytest.mark.needs("chromium")

FILE = {
    "name": "photo.png",
    "mimeType": "image/png",
    "buffer": b"\x89PNG\r\n\x00" * 999,
}
DIGEST = hashlib.sha256(FILE["buffer"]).hexdigest()


@pytest.fixture(scope="module")
def chrome():
    # Playwright's loop runs in this thread, which asks the database only in between.
    with pytest.MonkeyPatch.context() as patch, launched() as browser:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield browser


@pytest.fixture
def server(settings, transactional_db):
    """Started with these settings, so that its middleware is theirs."""
    settings.ROOT_URLCONF = "tests.script.urls"
    settings.MIDDLEWARE = ["tests.script.views.strict", *settings.MIDDLEWARE]
    server = LiveServer("127.0.0.1")
    yield server
    server.stop()


@pytest.fixture
def host(chrome, server, browser, endpoint, sandbox):
    """Opens pages of the host, for a user who is logged in and accepts everything."""
    sandbox.script("accept")
    context = chrome.new_context()
    session = {"name": "sessionid", "value": browser.cookies["sessionid"].value}
    context.add_cookies([session | {"url": server.url}])
    page = context.new_page()
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: _is_policy(message) and wrong.append(message))
    page.on("dialog", lambda dialog: dialog.accept())

    def open_page(name, **query):
        page.goto(f"{server.url}/page/{name}/?{urlencode(query)}")
        page.evaluate("window.untouched = true")
        return page

    open_page.wrong = wrong
    yield open_page
    context.close()
    assert wrong == []


def _is_policy(message):
    return "Content Security Policy" in message.text


def runs():
    return list(Run.objects.order_by("pk").values_list("view", flat=True))


def dialog(page):
    return page.locator("dialog.magiclink-dialog")


def state(page, expected):
    card = dialog(page).locator("[data-magiclink-card]")
    expect(card).to_have_attribute("data-state", expected)


def fetch(page, *requests):
    """Send what the page's own script sends when its button is pressed."""
    page.evaluate("(requests) => { window.sent = requests }", list(requests))
    page.click("#send")


def answer(page, expected):
    expect(page.locator("#answer")).to_contain_text(re.compile(expected))
    assert dialog(page).count() == 0
    assert page.evaluate("window.untouched")


@pytest.mark.needs("npx")
def test_the_script_is_made_of_its_source():
    assert make_script.SCRIPT.read_text() == make_script.made()


def test_the_script_is_small():
    assert make_script.SCRIPT.stat().st_size < 10_000


POST = {"method": "POST", "body": json.dumps({"amount": 10})}


def test_a_fetch_asks_and_sends_the_same_again(host, sandbox):
    page = host("fetch")
    sandbox.script("manual")

    fetch(page, ["/pay/?a=1", POST])
    state(page, "waiting")
    expect(dialog(page)).to_contain_text("Pay now")
    expect(dialog(page).locator("[data-code]")).to_have_text(re.compile(r"\d\d"))
    assert runs() == []
    sandbox.accept()

    answer(page, "200 pay ran")
    [run] = Run.objects.all()
    assert run.seen["method"] == "POST"
    assert run.seen["path"] == "/pay/?a=1"
    assert run.seen["body"] == POST["body"]


def test_a_put_of_a_form_with_a_file_is_sent_again(host, sandbox):
    page = host("fetch")
    page.evaluate("""() => {
        const body = new FormData();
        body.append("file", new File(["content"], "name.txt"));
        window.sent = [["/pay/", { method: "PUT", body }]];
    }""")

    page.click("#send")

    answer(page, "200 pay ran")
    [run] = Run.objects.all()
    assert run.seen["method"] == "PUT"
    assert "content" in run.seen["body"]


@pytest.mark.parametrize("kind", ["url", "request"])
def test_a_fetch_takes_whatever_fetch_takes(host, sandbox, kind):
    page = host("fetch")
    make = {
        "url": "[new URL('/pay/', location), init]",
        "request": "[new Request('/pay/', init)]",
    }[kind]
    page.evaluate(f"""() => {{
        const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
        const headers = {{ "X-CSRFToken": token }};
        const init = {{ method: "POST", body: "text", headers }};
        window.sent = [{make}];
    }}""")

    page.click("#send")

    answer(page, "200 pay ran")
    assert Run.objects.get().seen["body"] == "text"


def test_a_decline_is_said_and_gives_the_problem_back(host, sandbox):
    page = host("fetch")
    sandbox.script("reject")

    fetch(page, ["/pay/", POST])
    expect(dialog(page)).to_contain_text("You declined")
    assert runs() == []
    dialog(page).get_by_role("button", name="Close").click()

    answer(page, "401 .*urn:django-magiclink:approval-required")
    assert runs() == []


def test_after_a_decline_one_may_ask_again(host, sandbox, unlimited):
    page = host("fetch")
    sandbox.script("reject")
    fetch(page, ["/pay/", POST])
    expect(dialog(page)).to_contain_text("You declined")

    sandbox.script("accept")
    dialog(page).get_by_role("button", name="Ask again").click()

    answer(page, "200 pay ran")


# What a page of the host says of its language, which may be nothing, or no language.
@pytest.mark.parametrize("language", ["en", "", "sv_SE"])
def test_after_a_decline_the_dialog_says_when_one_may_ask_again(
    host, sandbox, language
):
    page = host("fetch")
    page.evaluate("language => { document.documentElement.lang = language }", language)
    sandbox.script("reject")
    fetch(page, ["/pay/", POST])
    expect(dialog(page)).to_contain_text("You declined")

    dialog(page).get_by_role("button", name="Ask again").click()

    expect(dialog(page)).to_contain_text("Your phone cannot be asked yet.")
    expect(dialog(page).locator("[data-retry]")).to_have_text(re.compile(r"\d+:\d\d"))
    assert len(sandbox.calls) == 1


def code_on(sandbox):
    return re.search(r"Code: (\d\d)", sandbox.calls[-1].params["sms-text"])[1]


def test_a_code_is_typed_in_the_dialog(host, sandbox, settings):
    settings.MAGICLINK_CODE = "type"
    page = host("fetch")
    fetch(page, ["/pay/", POST])
    state(page, "confirming")

    field = dialog(page).get_by_label("Code:")
    expect(field).to_be_focused()
    assert runs() == []
    field.fill(code_on(sandbox))
    field.press("Enter")

    answer(page, "200 pay ran")
    assert runs() == ["pay"]


def test_a_wrong_code_is_said_and_carries_nothing_out(host, sandbox, settings):
    settings.MAGICLINK_CODE = "type"
    page = host("fetch")
    fetch(page, ["/pay/", POST])
    state(page, "confirming")

    dialog(page).get_by_label("Code:").fill(str((int(code_on(sandbox)) + 1) % 90 + 10))
    dialog(page).get_by_role("button", name="Confirm").click()

    expect(dialog(page)).to_contain_text("That was not the code")
    state(page, "ended")
    assert runs() == []


def test_a_code_that_nobody_types_is_given_up(host, sandbox, settings):
    settings.MAGICLINK_CODE = "type"
    page = host("fetch")
    fetch(page, ["/pay/", POST])
    state(page, "confirming")

    dialog(page).get_by_role("button", name="Cancel").click()

    expect(dialog(page)).to_contain_text("You cancelled.")
    assert Approval.objects.get().status == "cancelled"


def test_who_did_not_ask_can_say_so_in_the_dialog(host, sandbox):
    page = host("fetch")
    sandbox.script("reject")
    fetch(page, ["/pay/", POST])

    dialog(page).get_by_role("button", name="That was not me").click()

    expect(dialog(page)).to_contain_text("Thank you.")
    expect(dialog(page).get_by_role("button", name="That was not me")).to_be_hidden()
    assert Approval.objects.get().reported


def test_after_asking_again_the_report_is_of_what_was_declined(
    host, server, sandbox, unlimited
):
    page = host("fetch")
    sandbox.script("undeliverable")
    page.goto(f"{server.url}/look/")
    card = page.locator("[data-magiclink-card]")
    page.get_by_role("button", name="Ask my phone").click()
    expect(card).to_have_attribute("data-outcome", "undelivered")
    page.reload()
    sandbox.script("reject")
    page.get_by_role("button", name="Ask again").click()
    expect(card).to_have_attribute("data-outcome", "rejected")

    page.get_by_role("button", name="That was not me").click()

    expect(page.get_by_role("status")).to_contain_text("Thank you.")
    assert Approval.objects.get(status="rejected").reported


def test_escape_gives_the_question_up(host, sandbox):
    page = host("fetch")
    sandbox.script("manual")
    fetch(page, ["/pay/", POST])
    state(page, "waiting")

    with page.expect_response("**/cancel/"):
        page.keyboard.press("Escape")

    answer(page, "^401 ")
    assert Approval.objects.get().status == "cancelled"


def test_cancel_says_so(host, sandbox):
    page = host("fetch")
    sandbox.script("manual")
    fetch(page, ["/pay/", POST])
    state(page, "waiting")

    dialog(page).get_by_role("button", name="Cancel").click()

    expect(dialog(page)).to_contain_text("You cancelled")
    dialog(page).get_by_role("button", name="Close").click()
    answer(page, "^401 ")


def test_one_approval_answers_all_that_wait_for_it(host, sandbox):
    page = host("fetch")

    fetch(page, ["/look/?1"], ["/look/?2"], ["/look/?3"])

    answer(page, "200 look ran\n200 look ran\n200 look ran")
    assert len(sandbox.calls) == 1


def test_what_was_carried_out_is_not_sent_again_after_a_redirect(host, sandbox):
    page = host("fetch")

    fetch(page, ["/plain_then_look/", POST])

    answer(page, "200 look ran")
    assert runs() == ["plain_then_look", "look"]


def test_a_post_that_leads_back_to_its_own_page_is_carried_out_once(host):
    page = host("fetch")

    fetch(page, ["/shown_after/", POST])

    answer(page, "200 shown")
    assert runs() == ["shown_after POST", "shown_after GET"]


def test_what_was_moved_is_sent_again_as_it_was(host):
    page = host("fetch")

    fetch(page, ["/moved/", {"method": "PUT", "body": "text"}])

    answer(page, "200 pay ran")
    assert the_run()["method"] == "PUT"
    assert the_run()["body"] == "text"


def test_what_was_sent_twice_rings_once_and_says_what_was_done(host, sandbox):
    page = host("fetch")

    fetch(page, ["/pay/", POST], ["/pay/", POST])

    state(page, "ask")
    expect(dialog(page)).to_contain_text("This was carried out at")
    dialog(page).get_by_role("button", name="Close").click()
    answer(page, "200 pay ran")
    assert len(sandbox.calls) == 1


def test_a_dialog_that_is_taken_away_keeps_nobody_waiting(host, sandbox):
    page = host("fetch")
    sandbox.script("manual")
    fetch(page, ["/look/"])
    state(page, "waiting")

    with page.expect_response("**/cancel/"):
        page.evaluate("document.querySelector('dialog').remove()")

    answer(page, "^401 ")
    sandbox.reject()
    sandbox.script("accept")
    fetch(page, ["/pay/", POST])
    answer(page, "200 pay ran")


def test_who_gives_up_while_the_phone_is_asked_gives_that_up_too(host, sandbox):
    page = host("fetch")
    sandbox.script("manual")
    held = []
    page.route("**/start/", lambda route: held.append(route))
    fetch(page, ["/pay/", POST])
    page.wait_for_selector(".magiclink-asking")

    page.keyboard.press("Escape")
    answer(page, "^401 ")
    with page.expect_response("**/cancel/"):
        held[0].continue_()

    assert Approval.objects.get().status == "cancelled"


def test_two_guards_behind_each_other_are_both_asked_for(host, sandbox):
    page = host("fetch")

    fetch(page, ["/pay_then_look/", POST])

    answer(page, "200 look ran")
    assert runs() == ["pay_then_look", "look"]
    assert len(sandbox.calls) == 2


def test_a_script_alone_rings_no_phone(host, sandbox):
    page = host("fetch", auto="/look/")

    state(page, "ask")
    assert Approval.objects.count() == 0
    dialog(page).get_by_role("button", name="Ask my phone").click()

    answer(page, "200 look ran")


def test_who_has_no_phone_is_told_so(host, sandbox):
    PhoneNumber.objects.all().delete()
    page = host("fetch")

    fetch(page, ["/look/"])
    expect(dialog(page)).to_contain_text("no phone number is registered")
    dialog(page).get_by_role("button", name="Close").click()

    answer(page, '^401 .*"reason": "no_phone"')


def test_who_is_logged_out_is_led_to_the_login(host, sandbox, browser):
    page = host("fetch")
    browser.session.delete()

    fetch(page, ["/look/"])

    link = dialog(page).get_by_role("link", name="Log in")
    expect(link).to_have_attribute("href", "/login/?next=/page/fetch/")


def test_a_challenge_that_has_become_too_old_is_renewed(host, sandbox):
    page = host("fetch", auto="/look/")
    state(page, "ask")

    with time_machine.travel(timezone.now() + timedelta(minutes=11)):
        # Until it asks anew, the dialog that is there is the old one.
        with page.expect_request("**/look/"):
            dialog(page).get_by_role("button", name="Ask my phone").click()
        state(page, "ask")
        dialog(page).get_by_role("button", name="Ask my phone").click()

        answer(page, "200 look ran")


def test_other_sites_are_fetched_as_ever(host):
    page = host("fetch")
    fetch_other = "window.magiclink.fetch('http://other.example/')"

    why = page.evaluate(f"{fetch_other}.catch((error) => error.message)")

    # The page's policy names this site only, and it was the browser that kept to it.
    assert why == "Failed to fetch"
    assert "other.example" in host.wrong[0].text
    host.wrong.clear()


def test_another_site_puts_nothing_into_the_page(host, server):
    page = host("fetch", lax=1)
    # Another origin to the browser: another name of the same machine.
    evil = f"{server.url.replace('127.0.0.1', 'localhost')}/evil/"

    fetch(page, [f"/led_away/?{urlencode({'to': evil})}"])

    answer(page, "^401 .*Evil")
    assert runs() == ["led_away"]


def test_whoever_aborts_the_fetch_closes_the_dialog(host, sandbox):
    page = host("fetch")
    sandbox.script("manual")
    page.evaluate("""() => {
        window.controller = new AbortController();
        const { signal } = window.controller;
        window.magiclink.fetch("/look/", { signal });
    }""")
    state(page, "waiting")

    with page.expect_response("**/cancel/"):
        page.evaluate("window.controller.abort()")

    expect(dialog(page)).to_have_count(0)
    assert Approval.objects.get().status == "cancelled"


# <form data-magiclink>


def fill_in(page, button="#send"):
    page.fill("[name=note]", "two\nlines")
    page.set_input_files("[name=file]", FILE)
    page.click(button)


def the_run():
    [run] = Run.objects.all()
    return run.seen


SENT = {
    "submit": ["a field that hides submit()"],
    "note": ["two\r\nlines"],
    "button": ["sent"],
}


def test_a_form_keeps_its_file_while_it_asks(host):
    page = host("form", action="/pay/?a=1")

    fill_in(page)

    expect(page).to_have_url(re.compile(r"/pay/\?a=1$"))
    expect(page.locator("body")).to_have_text("pay ran")
    assert the_run()["fields"] == SENT
    assert the_run()["files"] == {"file": [FILE["name"], DIGEST]}


def test_a_form_in_the_other_encoding_is_asked_for_alike(host):
    page = host("form", action="/pay/", plain=1)

    fill_in(page)

    expect(page.locator("body")).to_have_text("pay ran")
    assert the_run()["fields"] == SENT | {"file": [FILE["name"]]}


def test_a_form_that_gets_is_asked_for_alike(host):
    page = host("form", action="/look/?lost=1", method="get", plain=1)

    fill_in(page)

    expect(page.locator("body")).to_have_text("look ran")
    assert the_run()["method"] == "GET"
    assert "lost" not in the_run()["path"]
    assert "note=two%0D%0Alines" in the_run()["path"]


def test_a_form_that_was_approved_already_is_just_submitted(host, sandbox):
    page = host("form", action="/look/")
    fill_in(page)
    expect(page.locator("body")).to_have_text("look ran")

    page = host("form", action="/look/")
    fill_in(page)

    expect(page.locator("body")).to_have_text("look ran")
    assert runs() == ["look", "look"]
    assert len(sandbox.calls) == 1


def test_after_a_decline_the_form_is_as_it_was(host, sandbox, unlimited):
    page = host("form", action="/pay/")
    sandbox.script("reject")

    fill_in(page)
    expect(dialog(page)).to_contain_text("You declined")
    dialog(page).get_by_role("button", name="Close").click()

    expect(page.locator("[name=note]")).to_have_value("two\nlines")
    assert page.evaluate("document.querySelector('[name=file]').files[0].name")
    assert runs() == []
    sandbox.script("accept")
    page.click("#send")
    dialog(page).get_by_role("button", name="Ask again").click()
    expect(page.locator("body")).to_have_text("pay ran")
    assert the_run()["files"] == {"file": [FILE["name"], DIGEST]}


def test_a_double_click_submits_once(host):
    page = host("form", action="/pay/")
    page.fill("[name=note]", "twice")

    page.dblclick("#send")

    expect(page.locator("body")).to_have_text("pay ran")
    assert runs() == ["pay"]


def test_a_button_with_an_address_of_its_own_submits_there(host):
    page = host("form", action="/pay/")

    fill_in(page, "#elsewhere")

    expect(page.locator("body")).to_have_text("plain ran")
    assert runs() == ["plain"]
    assert the_run()["fields"]["button"] == ["elsewhere"]


def test_a_view_without_a_guard_runs_once_and_its_answer_is_shown(host):
    page = host("form", action="/plain/")

    fill_in(page)

    expect(page.locator("body")).to_have_text("plain ran")
    expect(page).to_have_url(re.compile("/plain/$"))
    assert runs() == ["plain"]
    assert the_run()["files"] == {"file": [FILE["name"], DIGEST]}
    page.go_back()
    expect(page.locator("[name=note]")).to_be_visible()
    assert runs() == ["plain"]


def test_a_view_without_a_guard_may_lead_to_one_with(host, sandbox):
    sandbox.script("manual")
    page = host("form", action="/plain_then_look/")

    fill_in(page)

    # A preflight that was led on there must not be taken for the first view's.
    expect(page).to_have_url(re.compile("/look/$"))
    expect(page.locator("main")).to_contain_text("Look at it")
    assert runs() == ["plain_then_look"]


def test_a_view_that_leads_to_an_open_window_runs_once(host, sandbox):
    page = host("form", action="/look/")
    fill_in(page)
    expect(page.locator("body")).to_have_text("look ran")

    page = host("form", action="/plain_then_look/")
    fill_in(page)

    expect(page).to_have_url(re.compile("/look/$"))
    expect(page.locator("body")).to_have_text("look ran")
    assert runs() == ["look", "plain_then_look", "look"]


def test_a_page_that_is_shown_so_asks_as_well(host):
    page = host("form", action="/plain_page/")
    fill_in(page)
    expect(page).to_have_url(re.compile("/plain_page/$"))

    fill_in(page)

    expect(page.locator("body")).to_have_text("pay ran")
    assert runs() == ["plain_page", "pay"]


def test_a_file_is_kept_and_not_shown(host):
    page = host("form", action="/attachment/")

    with page.expect_download() as download:
        fill_in(page)

    assert download.value.suggested_filename == "theirs.html"
    expect(page.locator("[name=note]")).to_have_value("two\nlines")
    assert runs() == ["attachment"]


def test_a_start_that_is_always_refused_comes_to_an_end(host):
    page = host("form", action="/look/", method="get", plain=1)
    page.route("**/start/", lambda route: route.fulfill(status=403, body="no"))
    sent = []
    page.on("request", lambda request: "/look/" in request.url and sent.append(1))

    fill_in(page)

    expect(page.locator("[data-magiclink]")).to_have_attribute("aria-busy", "false")
    assert len(sent) == 3
    assert runs() == []


def test_an_element_of_the_page_with_the_modules_name_is_in_nobodys_way(host):
    page = host("form", action="/pay/", named=1)

    fill_in(page)

    expect(page.locator("body")).to_have_text("pay ran")
    assert the_run()["fields"] == SENT


def test_a_view_that_answers_nothing_leaves_the_page(host):
    page = host("form", action="/nothing/")

    with page.expect_response("**/nothing/"):
        fill_in(page)

    expect(page.locator("form")).to_have_attribute("aria-busy", "false")
    expect(page.locator("[name=note]")).to_have_value("two\nlines")
    assert runs() == ["nothing"]


def test_a_site_that_does_not_answer_is_said_and_nothing_is_sent_again(host):
    page = host("form", action="/pay/")
    page.route("**/pay/", lambda route: route.abort())
    said = []
    page.on("dialog", lambda dialog: said.append(dialog.message))

    fill_in(page)

    expect(page.locator("form")).to_have_attribute("aria-busy", "false")
    assert said == ["Failed to fetch"]
    expect(page.locator("[name=note]")).to_have_value("two\nlines")


# htmx


@pytest.fixture(params=["htmx2", "htmx4"])
def htmx(request, host):
    return lambda **query: host(request.param, **query)


def test_htmx_sends_the_same_again_and_swaps(htmx, sandbox):
    page = htmx(action="/pay/?a=1")
    sandbox.script("manual")

    fill_in(page)
    state(page, "waiting")
    expect(page.locator("#answer")).to_have_text("Not yet.")
    assert runs() == []
    sandbox.accept()

    answer(page, "^pay ran$")
    assert the_run()["path"] == "/pay/?a=1"
    assert the_run()["fields"] == {"note": ["two\r\nlines"], "button": ["sent"]}
    assert the_run()["files"] == {"file": [FILE["name"], DIGEST]}


def test_htmx_swaps_nothing_after_a_decline(htmx, sandbox, unlimited):
    page = htmx(action="/pay/")
    sandbox.script("reject")

    fill_in(page)
    expect(dialog(page)).to_contain_text("You declined")
    dialog(page).get_by_role("button", name="Close").click()

    answer(page, "^Not yet.$")
    expect(page.locator("[name=note]")).to_have_value("two\nlines")
    assert runs() == []
    sandbox.script("accept")
    page.click("#send")
    dialog(page).get_by_role("button", name="Ask again").click()
    answer(page, "^pay ran$")
    assert runs() == ["pay"]


def test_htmx_asks_for_what_it_gets(htmx):
    page = htmx(action="/look/", method="get")

    page.fill("[name=note]", "ä")
    page.click("#send")

    answer(page, "^look ran$")
    assert the_run()["method"] == "GET"
    assert "note=%C3%A4" in the_run()["path"]


def test_htmx_carries_nothing_out_again_after_a_redirect(htmx):
    page = htmx(action="/plain_then_look/")

    fill_in(page)

    answer(page, "^look ran$")
    assert runs() == ["plain_then_look", "look"]


def test_htmx_leads_back_to_its_own_address_once(htmx):
    page = htmx(action="/shown_after/")

    fill_in(page)

    answer(page, "^shown$")
    assert runs() == ["shown_after POST", "shown_after GET"]


def test_htmx_asks_once_for_a_double_click(htmx, sandbox):
    page = htmx(action="/pay/")

    page.fill("[name=note]", "twice")
    page.dblclick("#send")

    expect(page.locator("#answer")).to_have_text("pay ran")
    assert len(sandbox.calls) == 1
    assert runs() == ["pay"]


def test_htmx_rings_no_phone_for_what_nobody_did(htmx):
    page = htmx(action="/look/", method="get")
    page.click("[name=note]")

    page.evaluate("() => { htmx.ajax('GET', '/look/', { target: '#answer' }); }")

    state(page, "ask")
    assert Approval.objects.count() == 0


def test_htmx_is_left_alone_where_nothing_is_guarded(htmx):
    page = htmx(action="/plain/")

    fill_in(page)

    answer(page, "^plain ran$")
    assert runs() == ["plain"]


def test_htmx_without_the_script_is_led_to_a_page_and_back(htmx, sandbox):
    page = htmx(action="/look/", method="get", without="1")
    sandbox.script("manual")

    page.click("#send")
    page.wait_for_url("**/magiclink/ask/**")
    expect(page.locator("main")).to_have_attribute("data-state", "waiting")
    sandbox.accept()

    # It leads back to where the window is open now.
    page.wait_for_url("**/page/htmx**without=1")
    expect(page.locator("#answer")).to_have_text("Not yet.")
    assert runs() == []
    page.click("#send")
    expect(page.locator("#answer")).to_have_text("look ran")
