"""The API, which is guarded by a permission."""

from example_project.models import StandingOrder


def test_a_standing_order_is_stopped_after_its_approval(client, approve_all):
    order = StandingOrder.objects.get(payee="Rowing Club")

    answer = client.delete(f"/api/orders/{order.pk}/")

    assert answer.status_code == 204
    assert approve_all[0].text == "Stop paying 320.00 SEK a month to Rowing Club"


def test_it_goes_on_if_that_is_declined(client, reject_all):
    order = StandingOrder.objects.get(payee="Rowing Club")

    answer = client.delete(f"/api/orders/{order.pk}/")

    assert answer.json()["title"] == "This needs your approval."
    assert StandingOrder.objects.filter(pk=order.pk).exists()


def test_listing_them_asks_nothing(client, approve_all):
    assert len(client.get("/api/orders/").json()) == 4
    assert approve_all == []
