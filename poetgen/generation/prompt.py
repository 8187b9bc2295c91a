"""From what a user types to tokens that a model knows."""

from __future__ import annotations

import unicodedata

from poetgen.errors import PromptError
from poetgen.networks.model_file import Model
from poetgen.text.characters import LINE_MARKS, full_width, mostly_han


def encode_prompt(start: str, model: Model) -> list[int]:
    """Encode the start of a poem for ``model``.

    Half-width punctuation is read as full-width if the model knows only that, and a
    character the model does not know is tried in its other script (simplified or
    traditional).

    Raises:
        PromptError: a character is unknown in every form.
    """
    start = unicodedata.normalize("NFC", start)
    if any(mark in model.vocabulary for mark in LINE_MARKS):
        start = "".join(char if char in model.vocabulary else full_width(char) for char in start)
        if mostly_han(start):
            # Verse has no spaces; people type them between lines.
            start = "".join(start.split())
    known = "".join(_known_form(char, model) for char in start)
    return model.vocabulary.encode(known)


def _known_form(char: str, model: Model) -> str:
    if char in model.vocabulary:
        return char
    from poetgen.text.script import to_simplified, to_traditional

    for form in (to_simplified(char), to_traditional(char)):
        if form in model.vocabulary:
            return form
    examples = "".join(token for token in "日红山夜湖海月君" if token in model.vocabulary)
    examples = examples or "".join(model.vocabulary.tokens[:8])
    raise PromptError(
        f"The model does not know {char!r}, in no form of it.",
        f"It knows {len(model.vocabulary.tokens)} characters; try one of: {examples}",
    )
