"""The network that follows a request: after what is said first, and under rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from poetgen.generation.decode import Network, Request, Stepper


def as_asked(network: Network[Any], request: Request) -> Stepper[Any]:
    """Return the network after what a request says, under the rules of its first plan."""
    opened = after_occasions(network, [request])
    plan = request.plan_of()
    if plan is None:
        return opened
    from poetgen.generation.ruled import RuledNetwork

    return RuledNetwork(opened, plan)


def after_occasions(network: Network[Any], requests: Sequence[Request]) -> Stepper[Any]:
    """Return the network after it has read what is said in each request, or in all the same.

    They are of one form and one guidance.
    """
    said = [request.occasion for request in requests if request.occasion is not None]
    if not said:
        return network
    first, texts = said[0], [occasion.token_ids for occasion in said]
    if all(text == texts[0] for text in texts):
        texts = texts[:1]
    if first.guidance == 1 or texts == [first.form_alone]:
        from poetgen.generation.opened import OpenedNetwork

        return OpenedNetwork(network, texts)
    from poetgen.generation.guidance import GuidedNetwork

    return GuidedNetwork(network, texts, first.form_alone, first.guidance)
