"""Windows on a stream of tokens: random and sequential partitions."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from poetgen.config import ModelConfig, PrepareConfig, TrainConfig
from poetgen.corpus.corpus import Poems
from poetgen.corpus.prepare import build_corpus
from poetgen.networks.torch_model import LanguageModel
from poetgen.training.batches import RandomBatching, SequentialBatching, pick_batching
from poetgen.training.checkpoint import load_checkpoint
from poetgen.training.events import Validated
from poetgen.training.run_files import RunFiles
from poetgen.training.trainer import Trainer
from tests.real_data import HAS_ENGLISH, NO_ENGLISH, TIME_MACHINE
from tests.runs import events_of

SIZES = {
    "length": st.integers(40, 300),
    "seq_len": st.integers(1, 9),
    "batch_size": st.integers(1, 6),
}


def numbered(length: int) -> Poems:
    """A stream in which every token is its own place."""
    return Poems(np.arange(length, dtype=np.uint16), np.array([0, length]))


@given(**SIZES, seed=st.integers(0, 9))
def test_random_windows_never_overlap_and_miss_only_the_ends(length, seq_len, batch_size, seed):
    epoch = RandomBatching(numbered(length), seq_len, batch_size).epoch(np.random.default_rng(seed))
    inputs = np.concatenate([batch.inputs.ravel() for batch in epoch])
    assert len(set(inputs.tolist())) == len(inputs)
    # Up to a window at the start (the offset), and at the end one more and the last target.
    assert length - 2 * seq_len <= len(inputs) <= length - 1
    for batch in epoch:
        assert (batch.targets == batch.inputs + 1).all()
        assert len(batch.inputs) <= batch_size


@given(**SIZES, seed=st.integers(0, 9))
def test_each_sequential_row_goes_on_where_it_ended(length, seq_len, batch_size, seed):
    batching = SequentialBatching(numbered(length), seq_len, batch_size)
    epoch = list(batching.epoch(np.random.default_rng(seed)))
    for one, following in itertools.pairwise(epoch):
        assert (following.inputs[:, 0] == one.targets[:, -1]).all()
    for batch in epoch:
        assert batch.inputs.shape == (batch_size, seq_len)
        assert (batch.targets == batch.inputs + 1).all()
    read = [i for batch in epoch for i in batch.inputs.ravel().tolist()]
    assert len(set(read)) == len(read)


@given(**SIZES, room=st.integers(1, 80), seed=st.integers(0, 9))
def test_a_stream_with_room_for_a_batch_gives_one_whatever_the_offset(
    length, seq_len, batch_size, room, seed
):
    rng = np.random.default_rng(seed)
    for rows, batching in ((1, RandomBatching), (batch_size, SequentialBatching)):
        # One token more, for the last target.
        assert len(batching(numbered(rows * seq_len + room), seq_len, batch_size).epoch(rng)) >= 1
        assert len(batching(numbered(rows * seq_len), seq_len, batch_size).epoch(rng)) == 0


@settings(max_examples=10)
@given(seed=st.integers(0, 50))
def test_the_offset_changes_from_epoch_to_epoch(seed):
    for batching in (RandomBatching, SequentialBatching):
        firsts = {
            min(batch.inputs.min() for batch in batching(numbered(300), 16, 3).epoch(rng))
            for rng in (np.random.default_rng([seed, epoch]) for epoch in range(12))
        }
        assert len(firsts) > 3


def test_carrying_the_state_over_windows_equals_reading_in_one_go():
    torch.manual_seed(0)
    model = LanguageModel(ModelConfig(vocab_size=50, embedding_dim=6, hidden_size=9)).eval()
    batches = list(SequentialBatching(numbered(50), 4, 2).epoch(np.random.default_rng(1)))
    state, parts = None, []
    for batch in batches:
        projected, state = model.hidden(torch.from_numpy(batch.inputs), state)
        parts.append(projected)
    whole, _ = model.hidden(torch.from_numpy(np.concatenate([b.inputs for b in batches], axis=1)))
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)


@pytest.fixture(scope="module")
def prose(tmp_path_factory):
    if not HAS_ENGLISH:
        pytest.skip(NO_ENGLISH)
    return build_corpus([TIME_MACHINE], "time-machine", PrepareConfig()).corpus


def test_running_prose_is_read_in_sequence_and_verse_poem_by_poem(prose, small_corpus):
    assert prose.is_prose
    assert not small_corpus.is_prose
    assert isinstance(pick_batching(prose, TrainConfig()), SequentialBatching)
    assert not pick_batching(small_corpus, TrainConfig()).carries_state
    assert isinstance(pick_batching(prose, TrainConfig(batching="random")), RandomBatching)


@pytest.mark.parametrize("batching", ["random", "sequential"])
def test_prose_is_learned_and_an_interrupted_run_goes_on_exactly(prose, tmp_path, batching):
    config = TrainConfig(
        batching=batching, epochs=1, hidden_size=24, embedding_dim=16, seq_len=32, batch_size=48,
        device="cpu", precision="float32",
    )  # fmt: skip
    finals = []
    for name, stops in (("whole", []), ("parts", [40])):
        files = RunFiles(tmp_path, name)
        for stop in [*stops, None]:
            trainer = Trainer(prose, config, files)
            if files.checkpoint.exists():
                trainer.resume(load_checkpoint(files.checkpoint))
            wanted = lambda t=trainer, stop=stop: stop is not None and t.counters.step >= stop  # noqa: E731
            events = events_of(trainer, wanted)
        finals.append((trainer.engine.model.state_dict(), events))
    for key, w in finals[0][0].items():
        assert torch.equal(w, finals[1][0][key]), key
    last = [event for event in finals[0][1] if isinstance(event, Validated)][-1]
    assert last.metrics.perplexity_per_token < 25
