from django.db import models


class Run(models.Model):
    """One run of a guarded view's body."""

    view = models.CharField(max_length=50)
    seen = models.JSONField(default=dict)

    def __str__(self):
        return self.view
