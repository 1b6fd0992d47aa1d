"""The admin, as a ``TestCase``: pytest is not needed for any of it."""

from django.contrib.auth.models import User
from django.test import TestCase

from django_magiclink.testing import approving, rejecting
from example_project.models import Account
from example_project.people import make_people

CHANGELIST = "/admin/example_project/account/"


class AccountAdminTests(TestCase):
    @classmethod
    def setUpTestData(cls):
        make_people("correct horse")
        cls.account = Account.objects.get(number="5521-220921")

    def setUp(self):
        self.client.force_login(User.objects.get(username="admin"))
        self.fields = {
            "action": "pay_interest",
            "_selected_action": self.account.pk,
        }

    def test_interest_is_paid_after_an_approval(self):
        with approving("interest") as questions:
            self.client.post(CHANGELIST, self.fields)

        self.account.refresh_from_db()
        self.assertEqual(str(self.account.balance), "151.50")
        self.assertEqual(
            questions[0].text, "Pay one percent on 1 accounts: 5521-220921"
        )

    @rejecting("interest")
    def test_no_interest_is_paid_if_that_is_declined(self):
        answer = self.client.post(CHANGELIST, self.fields)

        self.account.refresh_from_db()
        self.assertEqual(answer.status_code, 401)
        self.assertEqual(str(self.account.balance), "150.00")

    @approving("interest")
    def test_an_approval_of_something_else_deletes_nothing(self):
        answer = self.client.post(f"{CHANGELIST}{self.account.pk}/delete/")

        self.assertEqual(answer.status_code, 401)


@approving("vault", attr_name="questions")
class VaultTests(TestCase):
    def setUp(self):
        make_people("correct horse")
        self.client.force_login(User.objects.get(username="admin"))

    def test_one_approval_opens_all_of_it(self):
        self.client.get("/vault/")
        cards = self.client.get("/vault/example_project/card/")

        self.assertContains(cards, "7306")
        [question] = self.questions
        self.assertEqual(question.text, "Open the vault")
