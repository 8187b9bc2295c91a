"""Every error that poetgen raises on purpose.

::

    PoetgenError                 exit 1   the work failed
    ├── DivergedError            exit 1   the loss is NaN or infinite
    ├── ShortageError            exit 1   the machine has no more memory, threads or open files
    │   └── MemoryShortageError           it has no more memory
    └── InputError               exit 2   wrong use or wrong input
        ├── SourceError                   a text that cannot be read as poems
        ├── CorpusError                   a corpus folder that cannot be used
        ├── ModelError                    a model or checkpoint that cannot be loaded
        │   └── DamagedError              one that is missing or damaged
        ├── DeviceError                   a device that this machine lacks
        ├── SettingError                  a setting that is out of range or contradicts another
        ├── PromptError                   a start with characters that the model does not know
        └── ExistsError                   a file that would be overwritten without --force

Each has two sentences: what is wrong (``problem``), and what the user can do (``advice``).
"""


class PoetgenError(Exception):
    """An error that a user reads as two lines."""

    exit_code = 1

    def __init__(self, problem: str, advice: str) -> None:
        """Say what is wrong, and what to do about it."""
        super().__init__(problem)
        self.problem = problem
        self.advice = advice


class DivergedError(PoetgenError):
    """The loss of a training is NaN or infinite."""


class ShortageError(PoetgenError):
    """The machine has no more memory, threads or open files."""


class MemoryShortageError(ShortageError):
    """The machine has no more memory."""


class InputError(PoetgenError):
    """Wrong use, or input that cannot be used."""

    exit_code = 2


class SourceError(InputError):
    """A text file that cannot be read as poems."""


class CorpusError(InputError):
    """A prepared corpus that is missing, damaged or too small."""


class ModelError(InputError):
    """A model file or a checkpoint that is missing, damaged or of another kind."""


class DamagedError(ModelError):
    """A model file or a checkpoint that is missing, or not as it was written."""


class DeviceError(InputError):
    """A device that this machine does not have."""


class SettingError(InputError):
    """A setting that is out of range, or two that contradict each other."""


class PromptError(InputError):
    """A start of a poem with characters that the model does not know."""


class ExistsError(InputError):
    """A file that exists and would be overwritten."""
