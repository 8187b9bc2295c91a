"""A network that says what it is told to before each poem, and then writes anything."""

from dataclasses import replace

import numpy as np

from poetgen.corpus.vocabulary import START, Vocabulary
from poetgen.generation.poet import Poet
from poetgen.verse.choice import build_choice
from tests.tiny import tiny_model

# Enough of either tone and of one rhyme for every form below.
TOKENS = (
    "东风空中公同红通虫终宫功雄弓穷丛翁童蒙笼白月日落木学石物绝入百尺玉雪客国北食力出发别笔竹"
    "人家门花山水春秋三四五七言律杂十其女子望江南忆浣溪沙明，。、·"
)
VOCABULARY = Vocabulary([*dict.fromkeys(TOKENS)]).with_fields()
MARK = {name: VOCABULARY.field_id(name) for name in VOCABULARY.fields}


class Scripted:
    """A network that says one of some names after each mark, and then writes anything.

    Its state holds, for each poem, what was read last, and the texts that it may say from there.
    """

    num_starts = 1

    def __init__(self, forms, titles=("春",), suits=lambda title, form: True):
        self.said = {MARK["form"]: forms, MARK["title"]: titles}
        self.suits = suits

    def start(self, batch_size):
        return [()] * batch_size

    def prime(self, token_ids, state):
        for token_id in token_ids:
            logits, state = self.step(np.full(len(state), token_id), state)
        return logits, state

    def step(self, token_ids, state):
        state = [(*read, int(token_id)) for read, token_id in zip(state, token_ids, strict=True)]
        return np.stack([self._logits(read) for read in state]), state

    def _logits(self, read):
        logits = np.zeros(len(VOCABULARY), np.float32)
        marks = [place for place, token_id in enumerate(read) if token_id in self.said]
        if not marks or START in read:
            return logits
        text = VOCABULARY.decode(read[marks[-1] + 1 :])
        title = VOCABULARY.decode(read[marks[-2] + 1 : marks[-1]]) if len(marks) > 1 else ""
        for name in self.said[read[marks[-1]]]:
            if name.startswith(text) and (len(marks) == 1 or self.suits(title, name)):
                (next_id,) = VOCABULARY.encode(name[len(text) : len(text) + 1]) or [START]
                logits[next_id] = 30
        return logits

    def select(self, state, rows):
        return [state[row] for row in rows]

    def join(self, states):
        return [read for state in states for read in state]


def poet_of(*forms, index=False, **said):
    model = replace(tiny_model(fields=True), vocabulary=VOCABULARY)
    if index:
        model = replace(model, choice=build_choice(["东风空月白，落日木学红。"] * 8))
    return Poet("scripted", model, Scripted(forms, **said))
