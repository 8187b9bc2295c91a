"""Draw vanishing.svg: how far back a gradient reaches, by our own gradients in numpy.

Run it from the project's root: python docs/figures/vanishing.py (needs matplotlib). The loss is
that of the last step alone, and every token of the text is another one, so row i of the
embedding's gradient is the derivative by the input at the place of token i.
"""

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np

from poetgen.config import ARCHS, ModelConfig
from poetgen.corpus.vocabulary import PAD
from poetgen.networks.bptt import loss_and_gradients
from poetgen.networks.model import weight_shapes
from poetgen.networks.numpy_model import NumpyModel

mpl.use("Agg")
from matplotlib import pyplot as plt

STEPS, SIZE, SEEDS = 60, 128, 20
BASE = ModelConfig(
    vocab_size=STEPS + 2, embedding_dim=32, hidden_size=SIZE, num_layers=1, tied=False
)


def reach(config: ModelConfig, seed: int, forget_bias: float) -> np.ndarray:
    """Give the size of the derivative by each input, the last one first, shape (STEPS,)."""
    rng = np.random.default_rng(seed)
    bound = SIZE**-0.5
    weights = {
        name: rng.uniform(-bound, bound, shape) for name, shape in weight_shapes(config).items()
    }
    weights["embedding.weight"] = rng.normal(size=weights["embedding.weight"].shape)
    if config.arch == "lstm":
        weights["rnn.bias_ih_l0"][SIZE : 2 * SIZE] += forget_bias
    ids = 1 + rng.permutation(STEPS)[None]
    targets = np.full((1, STEPS), PAD)
    targets[0, -1] = STEPS + 1
    _, gradients, _ = loss_and_gradients(NumpyModel(config, weights), ids, targets, PAD)
    sizes = np.linalg.norm(gradients["embedding.weight"], axis=-1)[ids[0]][::-1]
    return sizes / sizes[0]


curves = [(arch.upper(), replace(BASE, arch=arch), 0.0) for arch in ARCHS]
curves.append(("LSTM, forget bias 3", replace(BASE, arch="lstm"), 3.0))
print("steps back", *(name for name, _, _ in curves), sep=" | ")
means = {
    name: np.exp(np.mean([np.log(reach(config, s, bias)) for s in range(SEEDS)], axis=0))
    for name, config, bias in curves
}
for back in (1, 5, 10, 20, 40):
    print(back, *(f"{mean[back]:.1e}" for mean in means.values()), sep=" | ")
fig, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for name, mean in means.items():
    axes.semilogy(mean, label=name)
axes.set_xlabel("steps back from the loss")
axes.set_ylabel("gradient by the input, last step = 1")
axes.set_ylim(1e-16, 2)
axes.legend()
fig.savefig(Path(__file__).with_suffix(".svg"))
