"""What the project claims against other packages, measured; see README.md here."""
