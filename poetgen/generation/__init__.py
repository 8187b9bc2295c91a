"""From a model to a poem: sampling and the loop from start token to end token."""
