"""From what a user types to tokens that a model knows."""

from __future__ import annotations

import unicodedata

from poetgen.errors import PromptError
from poetgen.networks.model_file import Model
from poetgen.text.characters import LINE_MARKS, full_width, mostly_han
from poetgen.text.tokens import split_tokens


def encode_prompt(start: str, model: Model) -> list[int]:
    """Encode the start of a poem for ``model``.

    Half-width punctuation is read as full-width if the model knows only that, and a token
    the model does not know is tried in its other script (simplified or traditional) and in
    lower case.

    Raises:
        PromptError: a token is unknown in every form.
    """
    start = unicodedata.normalize("NFC", start)
    if any(mark in model.vocabulary for mark in LINE_MARKS):
        start = "".join(char if char in model.vocabulary else full_width(char) for char in start)
        if mostly_han(start):
            # Verse has no spaces; people type them between lines.
            start = "".join(start.split())
    tokens = split_tokens(start, model.vocabulary.kind)
    return model.vocabulary.encode([_known_form(token, model) for token in tokens])


def _known_form(token: str, model: Model) -> str:
    if token in model.vocabulary:
        return token
    from poetgen.text.script import to_simplified, to_traditional

    for form in (to_simplified(token), to_traditional(token), token.lower()):
        if form in model.vocabulary:
            return form
    kind = "character" if model.vocabulary.kind == "char" else "word"
    known = [start for start in "日红山夜湖海月君" if start in model.vocabulary]
    examples = " ".join(known or model.vocabulary.tokens[:8])
    raise PromptError(
        f"The model does not know {token!r}, in no form of it.",
        f"It knows {len(model.vocabulary.tokens):,} {kind}s; try one of: {examples}",
    )
