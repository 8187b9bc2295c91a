"""The events of a run for TensorBoard, where that package is installed."""

from __future__ import annotations

from pathlib import Path

from poetgen.errors import SettingError
from poetgen.training.events import Event, Progress, Sampled, Validated


class TensorBoardLog:
    """A folder that ``tensorboard --logdir`` shows."""

    def __init__(self, folder: Path, first_step: int) -> None:
        """Write to ``folder``; what it has of later steps than ``first_step`` comes anew.

        Raises:
            SettingError: the package tensorboard is not installed.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise SettingError(
                "TensorBoard is not installed.",
                "Install it: pip install 'poetgen[tensorboard]', or leave --tensorboard out.",
            ) from error
        self._writer = SummaryWriter(str(folder), purge_step=first_step + 1)

    def show(self, event: Event) -> None:
        """Write what an event told."""
        if isinstance(event, Progress):
            self._add("train/loss", event.loss, event.step)
            self._add("train/learning_rate", event.learning_rate, event.step)
            self._add("train/tokens_per_second", event.tokens_per_second, event.step)
        elif isinstance(event, Validated):
            metrics = event.metrics
            self._add("validation/loss", metrics.loss_per_token, event.step)
            self._add("validation/perplexity_per_token", metrics.perplexity_per_token, event.step)
            if metrics.perplexity_per_hanzi is not None:
                hanzi = metrics.perplexity_per_hanzi
                self._add("validation/perplexity_per_hanzi", hanzi, event.step)
        elif isinstance(event, Sampled):
            self._writer.add_text("poems", "\n\n".join(event.poems), event.step)

    def close(self) -> None:
        """Put everything on the disk."""
        self._writer.close()

    def _add(self, name: str, value: float, step: int) -> None:
        self._writer.add_scalar(name, value, step)
