"""From a model to poems: sampling, and the loop from start token to end token."""
