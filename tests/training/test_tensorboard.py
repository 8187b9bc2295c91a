"""Events for TensorBoard: what is written, and what is said where the package is missing."""

import sys
import types

import pytest

from poetgen.errors import SettingError
from poetgen.training.events import Progress, Sampled, Validated
from poetgen.training.logs import TensorBoardLog
from tests.runs import events_of, of_kind, trainer_of
from tests.tiny import tiny_corpus

pytestmark = pytest.mark.usefixtures("one_thread")


class Writer:
    """Stands in for TensorBoard's own, and remembers what is written; the last one is ``last``."""

    def __init__(self, folder, purge_step):
        Writer.last = self
        self.folder, self.purge_step = folder, purge_step
        self.scalars, self.texts, self.is_closed = [], [], False

    def add_scalar(self, name, value, step):
        self.scalars.append((name, value, step))

    def add_text(self, name, text, step):
        self.texts.append((name, text, step))

    def close(self):
        self.is_closed = True


def show_all(trainer, log):
    """Run, and let every event be written."""
    events = events_of(trainer)
    for event in events:
        log.show(event)
    log.close()
    return events


def test_every_event_with_numbers_is_written(tmp_path, monkeypatch):
    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    trainer = trainer_of(tiny_corpus(60, seed=8), tmp_path)
    log = TensorBoardLog(trainer.files.tensorboard, 4)
    events = show_all(trainer, log)
    writer = Writer.last
    assert writer.folder == str(tmp_path / "m.tensorboard")
    assert writer.purge_step == 5
    assert writer.is_closed
    found = [scalar for scalar in writer.scalars if scalar[0] == "train/loss"]
    assert found == [("train/loss", e.loss, e.step) for e in of_kind(events, Progress)]
    found = [scalar[1:] for scalar in writer.scalars if scalar[0] == "validation/loss"]
    assert found == [(e.metrics.loss_per_token, e.step) for e in of_kind(events, Validated)]
    assert len(writer.texts) == len(of_kind(events, Sampled))


def test_without_the_package_it_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(SettingError) as caught:
        TensorBoardLog(tmp_path / "x", 0)
    assert "poetgen[tensorboard]" in caught.value.advice


def test_tensorboard_itself_reads_it_back(tmp_path):
    accumulators = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="the package tensorboard is not installed",
    )
    trainer = trainer_of(tiny_corpus(60, seed=8), tmp_path)
    log = TensorBoardLog(trainer.files.tensorboard, 0)
    events = show_all(trainer, log)
    read = accumulators.EventAccumulator(str(trainer.files.tensorboard))
    read.Reload()
    steps = [scalar.step for scalar in read.Scalars("train/loss")]
    assert steps == [event.step for event in of_kind(events, Progress)]
