"""Read poems out of files, archives and standard input, whatever their format and encoding.

::

    find_inputs    what the user names -> inputs     inputs, archives, limits
    read_document  an input -> its poems             formats, encodings, and a module for each
                                                     family of formats

What an input holds is detected from its content, never from its name alone.
"""

from poetgen.reading.documents import Aside, Document, Input, RawPoem, count_left_out
from poetgen.reading.formats import describe_ignored, read_document, read_poems
from poetgen.reading.inputs import find_files, find_inputs

__all__ = [
    "Aside",
    "Document",
    "Input",
    "RawPoem",
    "count_left_out",
    "describe_ignored",
    "find_files",
    "find_inputs",
    "read_document",
    "read_poems",
]
