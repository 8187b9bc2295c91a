"""Formats of other programs, read as data: pickles, tang.npz, char-rnn snapshots."""
