"""The whole way, with a server and a phone that rings, and no browser."""


def ask(client, refused):
    """Ask the phone, as a program does that was refused."""
    problem = refused.json()
    return client.post(problem["start_url"], {"challenge": problem["challenge"]})


def test_a_phone_that_always_accepts(client, phone):
    phone.answers("accept")

    ask(client, client.get("/payroll/"))

    assert client.get("/payroll/").status_code == 200


def test_a_phone_that_is_tapped(client, phone):
    ask(client, client.get("/payroll/"))
    before = client.get("/payroll/")
    shown = phone.accept()
    after = client.get("/payroll/")

    assert (before.status_code, after.status_code) == (401, 200)
    assert "Show the payroll" in shown.text


def test_a_phone_that_cannot_be_reached(client, phone):
    phone.answers("undeliverable")

    started = ask(client, client.get("/payroll/"))

    status = client.get(started.json()["status_url"]).json()
    assert status["message"] == "The request did not reach your phone."
