"""poetgen: train, compare and recite small recurrent poets.

Nothing is imported here, so that ``poetgen --help`` costs no array library.
"""

__version__ = "0.1.0"
