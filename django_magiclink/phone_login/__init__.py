"""Pages that log in with a phone alone; off until ``phone_login.urls`` is included."""
