"""Settings: frozen dataclasses, each field declared once with its default, help and range.

The command line builds its flags from these declarations.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from poetgen.errors import SettingError
from poetgen.settings import Settings, setting

Arch = Literal["rnn", "gru", "lstm"]
Script = Literal["simplified", "traditional", "keep"]
Format = Literal[
    "auto",
    "chinese-poetry",
    "ccpc",
    "jsonl",
    "csv",
    "tsv",
    "xlsx",
    "title-content",
    "title-author-content",
    "plain",
    "markdown",
    "html",
    "docx",
    "prose",
    "tang-npz",
]
BatchingKind = Literal["poems", "random", "sequential"]
NearDuplicates = Literal["keep", "drop"]
TokenKind = Literal["char", "word"]
Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16"]

Tones = Literal["strict", "loose", "off"]
RhymeBookName = Literal["pingshui", "new", "cilin"]

Engine = Literal["auto", "torch", "numpy"]
Output = Literal["softmax", "gumbel"]
Optimizer = Literal["adamw", "adam", "sgd", "rmsprop", "adagrad"]
Storage = Literal["float16", "int8"]
Schedule = Literal["cosine", "constant"]

# The highest value of a count. Every whole number has a bound: no array could be larger, or no
# run end before it.
_MANY = 10**12

ARCHS: tuple[Arch, ...] = ("rnn", "gru", "lstm")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareConfig(Settings):
    """How texts become a corpus."""

    format: Format = setting("auto", "How the source is written; auto looks at the content.")
    encoding: str | None = setting(
        None, "Encoding of the source, such as gb18030 or big5; by default detected from the bytes."
    )
    script: Script = setting("simplified", "Convert Chinese characters with OpenCC, or keep them.")
    tokens: TokenKind = setting("char", "One token is a character, or (spaced text) a word.")
    letters_only: bool = setting(
        False, "Lower all letters and replace everything else by blanks, as textbooks do."
    )
    near_duplicates: NearDuplicates = setting(
        "keep", "Whether to drop poems that differ from another in at most one place in ten."
    )
    forms: str | None = setting(None, "Keep these forms only: of 五绝,七绝,五律,七律.")
    authors: str | None = setting(None, "Keep poems of these authors only, with commas between.")
    min_count: int | None = setting(
        None,
        "Characters seen fewer times in training are unknown; by default 3 in a corpus of "
        "500,000 characters or more, else 1.",
        min=1,
        max=_MANY,
    )
    max_chars: int | None = setting(
        None, "Drop poems with more characters than this.", min=1, max=_MANY
    )
    vocabulary: str | None = setting(
        None,
        "Take the vocabulary of this corpus or model (as for train --init) and count none.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeConfig(Settings):
    """The shape of a network, without the size of its vocabulary."""

    arch: Arch = setting("lstm", "The recurrent cell.")
    # A one-hot vector is as long as the vocabulary.
    embedding_dim: int = setting(256, "Size of a token's vector.", min=1, max=2**24)
    hidden_size: int = setting(768, "Units in each recurrent layer.", min=1, max=65_536)
    num_layers: int = setting(1, "Recurrent layers, one above the other.", min=1, max=100)
    tied: bool = setting(True, "Use the embedding as the output layer, too (tied weights).")
    one_hot: bool = setting(
        False,
        "Read tokens as one-hot vectors, without an embedding, as the classic character RNN "
        "does; the output has its own weights, and all weights start small.",
    )
    output: Output = setting(
        "softmax",
        "What turns scores into probabilities; gumbel replaces exp(score) by the Gumbel density "
        "of the score's distance from the maximum.",
    )
    softmax_temperature: float = setting(
        1.0, "Divide the scores by this, in training and generation.", min=0.01, max=1e6
    )
    gumbel_tau: float = setting(1.0, "Width τ of the Gumbel density.", min=0.01, max=1e6)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig(ShapeConfig):
    """The shape of a language model; stored in every model file."""

    vocab_size: int = setting(
        4, "Tokens that the model knows, special ones included.", min=4, max=2**24
    )

    def __post_init__(self) -> None:
        """Check the ranges, and that a one-hot model is consistent.

        Raises:
            SettingError: a value is out of range, or a one-hot input has another size than
                the vocabulary or tied weights.
        """
        Settings.__post_init__(self)
        if self.one_hot and (self.tied or self.embedding_dim != self.vocab_size):
            raise SettingError(
                "A one-hot input is as long as the vocabulary and has no weights to share.",
                "Use an untied output and embedding_dim = vocab_size.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(ShapeConfig):
    """How a model is trained; stored in every model file."""

    engine: Engine = setting(
        "auto", "What computes; auto takes torch where it is installed, else numpy (on the CPU)."
    )
    device: Device = setting("auto", "Where to compute; auto takes the best one present.")
    precision: Precision = setting(
        "auto",
        "Number format of the matrix products; auto takes bfloat16 where the hardware has it.",
    )
    init: str | None = setting(
        None, "Continue from this model: its weights, its shape, and all characters it knows."
    )
    fields: bool = setting(
        True, "Learn authors, titles, forms and keywords, too, where the corpus has titles."
    )
    dropout: float = setting(
        0.35, "Share of activations switched off in training.", min=0, max=0.95
    )
    epochs: int = setting(8, "Passes over the training poems.", min=1, max=_MANY)
    max_minutes: float | None = setting(
        None, "End the run within this time; may be a fraction.", min=0
    )
    max_tokens: int | None = setting(
        None, "End the run after this many training tokens.", min=1, max=_MANY
    )
    batching: BatchingKind | None = setting(
        None,
        "Whole poems, or windows on the stream of tokens, in random order or one after the "
        "other; by default poems for verse and sequential for running prose.",
    )
    batch_tokens: int = setting(
        1024, "Tokens in a batch of poems, padding included.", min=2, max=100_000_000
    )
    accumulate: int = setting(
        1,
        "Split a batch into this many parts, computed one after the other, to save memory.",
        min=1,
        max=1_000,
    )
    batch_size: int = setting(32, "Windows in a batch of windows.", min=1, max=1_000_000)
    seq_len: int = setting(64, "Steps in a window.", min=1, max=1_000_000)
    optimizer: Optimizer = setting("adamw", "How a step follows from the gradient.")
    learning_rate: float | None = setting(
        None, "Peak rate of the optimizer; by default 0.003, and 0.0005 with --init.", min=0
    )
    schedule: Schedule = setting("cosine", "The learning rate after its warmup.")
    warmup: float = setting(
        0.05, "Share of the run in which the learning rate rises.", min=0, max=1
    )
    weight_decay: float = setting(0.01, "AdamW's decay of the weights towards zero.", min=0)
    grad_clip: float | None = setting(1.0, "Largest norm of the gradient; 0 sets no limit.", min=0)
    grad_clip_value: float | None = setting(
        None, "Clip every number of the gradient to this size.", min=0
    )
    average_steps: int | None = setting(
        None,
        "Measure and save a moving average of the weights over about so many steps.",
        min=1,
        max=_MANY,
    )
    patience: int | None = setting(
        None,
        "End the run after this many validations in a row without a new best.",
        min=1,
        max=_MANY,
    )
    storage: Storage = setting(
        "float16",
        "Number format of the weights in the model file; int8 halves it and has a scale for each "
        "row.",
    )
    checkpoint_seconds: float = setting(
        60.0, "Seconds between two checkpoints; a killed run loses no more.", min=0
    )
    seed: int = setting(0, "Makes the run reproducible.", min=0, max=2**63 - 1)
    threads: int | None = setting(
        None,
        "Threads that compute; by default OMP_NUM_THREADS, or one for each core that other "
        "programs leave free.",
        min=1,
        max=1024,
    )

    @property
    def peak_rate(self) -> float:
        """The rate that is asked for, or the default: a trained model has less to learn."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 3e-3 if self.init is None else 5e-4

    def shape(self, vocab_size: int) -> ModelConfig:
        """Return the shape of the model that a training with these settings makes."""
        values = {field.name: getattr(self, field.name) for field in fields(ShapeConfig)}
        if self.one_hot:
            values |= {"tied": False, "embedding_dim": vocab_size}
        return ModelConfig(vocab_size=vocab_size, **values)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleConfig(Settings):
    """How the next token is chosen."""

    temperature: float | None = setting(
        None,
        "Below 1 safer, above 1 bolder; 0 always takes the most likely token. By default 0.6, and "
        "0.4 where several drafts in a form are written.",
        min=0,
        flag="--temp",
    )
    top_k: int | None = setting(
        None, "Choose among the k most likely tokens only.", min=1, max=_MANY
    )
    top_p: float | None = setting(
        None,
        "Choose among the most likely tokens that together have this probability (nucleus).",
        min=0,
        max=1,
    )
    min_p: float | None = setting(
        None,
        "Choose among tokens with at least this share of the highest probability.",
        min=0,
        max=1,
    )
    repetition_penalty: float | None = setting(
        None,
        "Above 1, makes tokens that were already written less likely; punctuation is exempt.",
        min=1,
        max=100,
    )
    max_chars: int = setting(
        200, "Longest poem; --start is included, --start-file is not.", min=1, max=_MANY
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig(Settings):
    """How whole poems are searched for, in place of sampling token by token."""

    beam: int | None = setting(
        None,
        "Search for the most likely poem, keeping this many candidates; not random.",
        min=1,
        max=100_000,
    )
    length_penalty: float = setting(
        0.6, "With --beam: 0 favours short poems, 1 and more long ones.", min=0, max=10
    )
    distinct: bool = setting(False, "Never write a poem twice (sampling without replacement).")
    best_of: int | None = setting(
        None,
        "Write so many drafts of a poem and keep the best; by default 32 of Chinese verse, or 16 "
        "of a form longer than a quatrain.",
        min=1,
        max=4_096,
    )
    novel: bool = setting(True, "Of several drafts, refuse those with a line that was copied.")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerseConfig(Settings):
    """What a poem has to keep; by default nothing. All wishes can be combined."""

    form: str | None = setting(
        None,
        "The form: 五绝, 七绝, 五律, 七律, 五排, 七排, 五古, 七古 (五古:12 has 12 lines), a tune "
        "of 词 such as 浣溪沙, or free; by default, a model that has learned forms thinks of one.",
    )
    tones: Tones = setting(
        "strict",
        "With --form: strict keeps the rules of level and oblique tones, loose allows amended "
        "lines (拗救), off asks for none.",
    )
    rhyme: str = setting(
        "auto", "With --form: a rhyme group such as 东; auto lets the model choose; free asks none."
    )
    rhyme_book: RhymeBookName | None = setting(
        None, "The book of rhymes; by default pingshui (平水韵), for 词 cilin (词林正韵)."
    )
    acrostic: str | None = setting(
        None, "These characters begin the lines, in this order; they find a form if none is given."
    )
    acrostic_at: str = setting(
        "head", "Where the characters of --acrostic stand in their lines: head, tail, or a number."
    )
    pattern: str | None = setting(
        None, "Characters at their places and ? for open ones: '春????，????夏。'."
    )
    require: str | None = setting(None, "Words that the poem has, with commas between.")
    forbid: str | None = setting(None, "Words that it does not have, with commas between.")
    no_repeats: bool = setting(False, "Use no character twice, except doubled ones such as 悠悠.")


@dataclass(frozen=True, slots=True, kw_only=True)
class OccasionConfig(Settings):
    """What a poem is about; for models that have learned from titles and authors."""

    title: str | None = setting(
        None, "The title of the poem; without it, and without a start, the model thinks of one."
    )
    author: str | None = setting(None, "Write as this poet.")
    keyword: str | None = setting(None, "Words that the poem is about, with commas between.")
    untitled: bool = setting(False, "Write without a title.")
    guidance: float | None = setting(
        None,
        "How closely the poem keeps to title, poet and keywords: 1 as the model has learned it, "
        "more for closer; by default 1.5 to what is given, 1 to a title that the model thinks of.",
        min=0,
        max=10,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowConfig(Settings):
    """How a poem is shown."""

    score: bool = setting(False, "Show under each poem what was measured of it.")
    pinyin: bool = setting(False, "Show the pinyin of each character above it.")
    traditional: bool = setting(False, "Show traditional characters.")
    vertical: bool = setting(
        False, "Show columns from right to left, as poems were written; without punctuation."
    )
