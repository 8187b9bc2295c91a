"""Verdicts without a race: of Chinese verse and of English prose."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from poetgen.comparison.results import Contender, Difference, Figures, Point, Run, Verdict
from poetgen.config import ModelConfig
from tests.tiny import HANZI

MARKUP = "<script>alert('日')</script> & |*`"
PANEL = {
    "num_poems": 500, "unseen_pairs": 0.141, "repeats": 3.23, "thread": 0.118, "copied": 0.012,
    "rhymes": 0.48, "same_rhyme": 0.26, "tones": 0.81, "parallelism": 0.453,
    "parallelism_zero": 0.222, "distinct_1": 0.104, "distinct_2": 0.651, "form": 0.832,
    "self_bleu": 0.058,
}  # fmt: skip
WELCH = "Welch's t-test over the seeds"
ENGLISH = "The mind is the cause of all such things; and yet,\nit seemed to me, it was not so."


def figures(perplexity: float, *, chinese: bool = True, unknown: int = 0) -> Figures:
    return Figures(
        loss_per_token=math.log(perplexity),
        perplexity_per_token=perplexity,
        perplexity_per_hanzi=perplexity * 1.9 if chinese else None,
        bits_per_char=math.log2(perplexity) * 1.02,
        unknown_share=unknown / 5000,
        num_unknown=unknown,
        num_tokens=51_234,
        num_chars=49_876,
    )


def curve(
    final: float, seed: int, *, speed: float, points: int = 12, tokens: int = 1_000_000
) -> list[Point]:
    """Fall towards ``final`` as a power of the tokens, a little differently for each seed."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(1, points + 1):
        seen = tokens * number // points
        excess = 6 * final * (seen / 20_000) ** -0.9
        noise = math.exp(rng.normal(0, 0.03))
        found.append(Point(seen, seen / speed * math.exp(rng.normal(0, 0.01)), final + excess))
        found[-1] = replace(found[-1], perplexity=found[-1].perplexity * noise)
    return found


def done(final: float, seed: int, speed: float, name: str, *, chinese: bool = True) -> Run:
    points = curve(final, seed, speed=speed)
    return Run(
        seed=seed, status="done", tokens=1_000_448, steps=245, train_seconds=1_000_448 / speed,
        total_seconds=1_000_448 / speed * 1.2, device="cpu", precision="float32", threads=2,
        epochs=1_000_448 / 3_150_000, curve=points,
        figures=figures(points[-1].perplexity, chinese=chinese),
        model=f"{name}-{seed}.safetensors",
    )  # fmt: skip


def poems(seed: int, count: int, per_line: int = 7) -> list[str]:
    rng = np.random.default_rng(seed)
    lines = [
        ["".join(rng.choice(list(HANZI), per_line)) + "，。"[place % 2] for place in range(4)]
        for _ in range(count)
    ]
    return ["".join(poem) for poem in lines]


def chinese(folder: Path) -> Verdict:
    """A race of three, one with a run that diverged and one that failed, and three others."""
    gru = Contender(
        "gru", "trained", shape=ModelConfig(arch="gru", vocab_size=7001, hidden_size=880),
        num_parameters=3_400_192, num_bytes=6_912_000, tokens_per_second=8123.4,
        cold_seconds=0.344, warm_seconds=0.124, panel=PANEL, poems=poems(1, 2),
        runs=[done(141, seed, 8123, "gru") for seed in (1, 2, 3)],
    )  # fmt: skip
    lstm = Contender(
        "lstm:hidden_size=512,num_layers=2", "trained", {"hidden_size": 512, "num_layers": 2},
        ModelConfig(vocab_size=7001, hidden_size=512, num_layers=2),
        num_parameters=3_412_480, num_bytes=6_934_000, tokens_per_second=5301.0,
        cold_seconds=0.361, warm_seconds=0.131, panel=PANEL | {"rhymes": 0.52, "copied": None},
        poems=poems(2, 2, 5),
        runs=[
            *(done(150, seed, 5301, "lstm") for seed in (1, 2)),
            Run(3, "diverged", "The loss was NaN at step 122.", tokens=499_712, steps=122,
                train_seconds=94.3, total_seconds=101.0, device="cpu", precision="float32",
                threads=2, curve=curve(150, 3, speed=5301)[:6]),
        ],
    )  # fmt: skip
    rnn = Contender(
        "rnn", "trained", num_parameters=3_399_000,
        runs=[Run(seed, "failed", "No space left on the device.") for seed in (1, 2, 3)],
    )  # fmt: skip
    saved = Contender(
        "tang", "saved", shape=ModelConfig(vocab_size=8302), num_parameters=5_700_111,
        num_bytes=9_812_345, cold_seconds=0.35, warm_seconds=0.128,
        runs=[Run(0, "done", figures=figures(118.4, unknown=31))],
        panel=PANEL, poems=[poems(3, 1)[0], MARKUP],
    )  # fmt: skip
    ngram = Contender("ngram:5", "ngram", runs=[Run(0, "done", figures=figures(183.5))])
    return Verdict(
        corpus="tang", fingerprint="0f3c9a1b", on="tang, validation", equal="tokens",
        budget="1,000,000 training tokens each", seeds=[1, 2, 3],
        contenders=[gru, lstm, rnn, saved, ngram],
        differences=[
            Difference("gru", lstm.name, is_clear=True, p_value=0.0031, test=WELCH),
            *(
                Difference(better, worse, is_clear=False, p_value=None, test="not tested")
                for better in ("tang", "gru", lstm.name)
                for worse in ("gru", lstm.name, "ngram:5")
                if (better, worse) not in (("gru", lstm.name), (lstm.name, "gru"))
                and better != worse and (better, worse) != ("tang", "ngram:5")
            ),
            Difference(
                "tang", "ngram:5", is_clear=True, p_value=1e-9,
                test="paired t-test over 2,661 texts", is_of_models=True,
            ),
        ],
        starts=["日", "红"],
        command="poetgen compare gru lstm:hidden_size=512,num_layers=2 rnn tang ngram:5 --seeds 3",
        folder=folder, on_validation=True,
    )  # fmt: skip


def english(folder: Path) -> Verdict:
    """Two architectures on prose, one seed."""
    contenders = [
        Contender(
            arch, "trained", num_parameters=400_000, num_bytes=812_000,
            tokens_per_second=speed, cold_seconds=0.31, warm_seconds=0.22, poems=[ENGLISH],
            runs=[done(final, 1, speed, arch, chinese=False)],
        )
        for arch, final, speed in (("lstm", 4.6, 20_000.0), ("gru", 4.7, 31_000.0))
    ]  # fmt: skip
    return Verdict(
        corpus="time-machine", fingerprint="77ac", on="time-machine, validation", equal="tokens",
        budget="1,000,000 training tokens each", seeds=[1], contenders=contenders,
        differences=[Difference("lstm", "gru", is_clear=False, p_value=None, test="not tested")],
        starts=["time traveller"], command="poetgen compare lstm gru --corpus time-machine",
        folder=folder, on_validation=True,
    )  # fmt: skip
