"""The training loop, its events, its schedule and its checkpoints."""
