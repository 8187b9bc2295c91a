"""Fetch pinned files: what they are, where they can come from, how they reach the cache."""
