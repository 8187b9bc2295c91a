"""Every error that poetgen raises on purpose.

::

    PoetgenError                 exit 1   the work failed
    ├── DivergedError            exit 1   the loss is not a number
    ├── ShortageError            exit 1   the machine has no more memory, threads or open files
    │   └── MemoryShortageError           it has no more memory
    └── InputError               exit 2   wrong use or wrong input
        ├── SourceError                   a text that cannot be read as poems
        ├── CorpusError                   a corpus folder that cannot be used
        ├── ModelError                    a model or checkpoint that cannot be loaded
        │   └── DamagedError              one that is missing or damaged
        ├── DeviceError                   a device that is not there
        ├── SettingError                  a setting out of its range
        ├── PromptError                   a start that the model cannot read
        └── ExistsError                   a file that would be overwritten

Each carries two sentences: what is wrong, and what the user can do.
"""


class PoetgenError(Exception):
    """Something went wrong that the user should read about in two lines."""

    exit_code = 1

    def __init__(self, problem: str, advice: str) -> None:
        """``problem`` says what is wrong; ``advice`` says what to do about it."""
        super().__init__(problem)
        self.problem = problem
        self.advice = advice


class DivergedError(PoetgenError):
    """Training produced a loss that is not finite."""


class ShortageError(PoetgenError):
    """The machine ran short of memory, threads or open files."""


class MemoryShortageError(ShortageError):
    """The machine ran short of memory."""


class InputError(PoetgenError):
    """The user gave something that cannot be used."""

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
    """A setting outside its range, or two settings that contradict each other."""


class PromptError(InputError):
    """A start of a poem that the model has no tokens for."""


class ExistsError(InputError):
    """A file that is already there and would be overwritten."""
