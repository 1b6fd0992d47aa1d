"""Housekeeping as tasks of Celery or of Django's Tasks framework, for a schedule."""
