"""What came of the approvals of a time that is over, so that nobody counts it twice."""

from __future__ import annotations

from django.db import models


class Tally(models.Model):
    """
    The counts of one span of time in which nothing is open any more.

    It has no personal data. Whoever looks fills it, and it can be deleted at any time:
    it is then counted anew, of what has not been purged.
    """

    start = models.DateTimeField()
    end = models.DateTimeField()
    counts = models.JSONField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["start", "end"], name="magiclink_one_tally_of_a_span"
            )
        ]

    def __str__(self) -> str:
        return f"{self.start} – {self.end}"
