"""A look inside a model while it reads a text."""
