"""Fair races between models, and their reports."""
