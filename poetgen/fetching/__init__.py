"""Fetch corpora that have a name: which files they have, and where these can come from."""
