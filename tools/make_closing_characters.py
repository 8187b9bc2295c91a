"""Learn what closes a poem well: poetgen/verse/tables/closing_characters.txt.

    python -m tools.make_closing_characters MODEL

From the choices of readers among last lines (tools/choices.py). The scores of the lines under
``CLOSING``, without the table, and what their characters are worth are fitted together to the
readers' orders. The model is the one that had written the lines, before it was tuned.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from poetgen import load_poet
from poetgen.characters import LINE_MARKS
from poetgen.networks.torch_model import build
from poetgen.verse.closing import TABLE
from poetgen.verse.score import CLOSING, ChoiceJudge
from tools.choices import (
    Place,
    batches_of,
    log_probabilities,
    ranking_loss,
    read_places,
    scores_of,
)

MIN_PLACES = 50
# A penalty on the squares of all worths, so that a rare character is not worth much.
PENALTY = 0.01


def main() -> None:
    """Write the table."""
    poet = load_poet(sys.argv[1])
    choice = poet.model.choice
    if choice is None:
        raise ValueError("the model has no index to choose by")
    places = read_places()
    last = [number for number, place in enumerate(places) if place.is_last]
    judge = ChoiceJudge(choice, closing_weights=replace(CLOSING, closing=0.0))
    model = build(poet.model.config, poet.model.weights)
    scores = torch.zeros(len(places), len(places[0].lines))
    for batch in batches_of(places, last, poet.model.vocabulary):
        with torch.no_grad():
            heard = log_probabilities(model, batch)
        rows = torch.tensor(batch.numbers)
        scores[rows] = scores_of(judge, places, batch, heard, is_last_line=True)
    worths = fit([places[number] for number in last], scores[last])
    order = sorted(worths.items(), key=lambda item: (-item[1], item[0]))
    table = [f"{char} {worth:.2f}\n" for char, worth in order if abs(worth) >= 0.005]
    TABLE.write_text("".join(table), encoding="utf-8")


def fit(places: Sequence[Place], scores: Tensor) -> dict[str, float]:
    """Return what each character is worth, in the unit of the scores (N, 6)."""
    seen = Counter(char for place in places for char in set("".join(place.lines)))
    chars = sorted(c for c, count in seen.items() if count >= MIN_PLACES and c not in LINE_MARKS)
    column = {char: number for number, char in enumerate(chars)}
    counts = torch.zeros(*scores.shape, len(chars))
    for row, place in enumerate(places):
        for number, line in enumerate(place.lines):
            for char in line:
                if char in column:
                    counts[row, number, column[char]] += 1
    sharpness = torch.tensor(0.1, requires_grad=True)
    worths = torch.zeros(len(chars), requires_grad=True)
    optimizer = torch.optim.LBFGS([sharpness, worths], max_iter=100)

    def loss() -> float:
        optimizer.zero_grad()
        found = ranking_loss(sharpness * scores + counts @ worths) + PENALTY * (worths**2).sum()
        found.backward()  # type: ignore[no-untyped-call]
        return found.item()

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    fitted = (worths / sharpness).detach().tolist()
    print(f"{len(places)} places, {len(chars)} characters; sharpness {sharpness.item():.3f}")
    return dict(zip(chars, fitted, strict=True))


if __name__ == "__main__":
    main()
