"""Read poems out of files, archives and standard input, however they are written.

::

    find_inputs   what the user names -> inputs      inputs, archives, limits
    read_document an input -> its poems              encodings, detect, and one module
                                                     for each family of formats

What an input holds is told from its content, never from its name alone.
"""

from poetgen.reading.documents import Document, Input, RawPoem
from poetgen.reading.formats import list_passed_over, read_document, read_poems
from poetgen.reading.inputs import find_files, find_inputs

__all__ = [
    "Document",
    "Input",
    "RawPoem",
    "find_files",
    "find_inputs",
    "list_passed_over",
    "read_document",
    "read_poems",
]
