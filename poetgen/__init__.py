"""poetgen: train, compare and recite small recurrent poets.

The library, of which the commands are made::

    prepare       files or the name of a corpus -> a corpus folder
    train         a corpus -> a model file
    generate      a model -> poems
    compare       architectures, models, n-grams -> a verdict
    scan          a poem -> its form, and where it breaks the rules
    load_corpus, load_poet
    add_choice    a model and its corpus -> what the choice among drafts needs

Names are imported on first access, so that ``import poetgen`` costs no array library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # "as" is what makes a name public for type checkers
    from poetgen.comparison.race import compare as compare
    from poetgen.comparison.results import Comparison as Comparison
    from poetgen.comparison.results import Contender as Contender
    from poetgen.comparison.results import Difference as Difference
    from poetgen.comparison.results import Figures as Figures
    from poetgen.comparison.results import Run as Run
    from poetgen.comparison.results import Verdict as Verdict
    from poetgen.config import ModelConfig as ModelConfig
    from poetgen.config import OccasionConfig as OccasionConfig
    from poetgen.config import PrepareConfig as PrepareConfig
    from poetgen.config import SampleConfig as SampleConfig
    from poetgen.config import SearchConfig as SearchConfig
    from poetgen.config import TrainConfig as TrainConfig
    from poetgen.config import VerseConfig as VerseConfig
    from poetgen.corpus.corpus import Corpus as Corpus
    from poetgen.corpus.folder import load_corpus as load_corpus
    from poetgen.corpus.prepare import Prepared as Prepared
    from poetgen.corpus.prepare import prepare as prepare
    from poetgen.errors import CorpusError as CorpusError
    from poetgen.errors import DamagedError as DamagedError
    from poetgen.errors import DeviceError as DeviceError
    from poetgen.errors import DivergedError as DivergedError
    from poetgen.errors import ExistsError as ExistsError
    from poetgen.errors import InputError as InputError
    from poetgen.errors import MemoryShortageError as MemoryShortageError
    from poetgen.errors import ModelError as ModelError
    from poetgen.errors import PoetgenError as PoetgenError
    from poetgen.errors import PromptError as PromptError
    from poetgen.errors import SettingError as SettingError
    from poetgen.errors import ShortageError as ShortageError
    from poetgen.errors import SourceError as SourceError
    from poetgen.generation.poem import Poem as Poem
    from poetgen.generation.poet import Poet as Poet
    from poetgen.generation.poet import generate as generate
    from poetgen.generation.poet import load_poet as load_poet
    from poetgen.networks.model import Metrics as Metrics
    from poetgen.training.choice import add_choice as add_choice
    from poetgen.training.events import Event as Event
    from poetgen.training.events import Note as Note
    from poetgen.training.events import Progress as Progress
    from poetgen.training.events import Sampled as Sampled
    from poetgen.training.events import SetBack as SetBack
    from poetgen.training.events import Started as Started
    from poetgen.training.events import Trained as Trained
    from poetgen.training.events import Validated as Validated
    from poetgen.training.run import train as train
    from poetgen.verse.scan import Scan as Scan
    from poetgen.verse.scan import scan as scan
    from poetgen.verse.score_line import PoemScore as PoemScore

__version__ = "0.1.0"

_NAMES = {
    "poetgen.comparison.race": ("compare",),
    "poetgen.comparison.results": (
        *("Comparison", "Contender", "Difference", "Figures", "Run", "Verdict"),
    ),
    "poetgen.config": (
        *("ModelConfig", "OccasionConfig", "PrepareConfig", "SampleConfig", "SearchConfig"),
        *("TrainConfig", "VerseConfig"),
    ),
    "poetgen.corpus.corpus": ("Corpus",),
    "poetgen.corpus.folder": ("load_corpus",),
    "poetgen.corpus.prepare": ("Prepared", "prepare"),
    "poetgen.errors": (
        *("CorpusError", "DamagedError", "DeviceError", "DivergedError", "ExistsError"),
        *("InputError", "MemoryShortageError", "ModelError", "PoetgenError", "PromptError"),
        *("SettingError", "ShortageError", "SourceError"),
    ),
    "poetgen.generation.poem": ("Poem",),
    "poetgen.generation.poet": ("Poet", "generate", "load_poet"),
    "poetgen.networks.model": ("Metrics",),
    "poetgen.training.choice": ("add_choice",),
    "poetgen.training.events": (
        *("Event", "Note", "Progress", "Sampled", "SetBack", "Started", "Trained", "Validated"),
    ),
    "poetgen.training.run": ("train",),
    "poetgen.verse.scan": ("Scan", "scan"),
    "poetgen.verse.score_line": ("PoemScore",),
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [*sorted(_MODULE_OF), "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name on first access (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'poetgen' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULE_OF[name]), name)
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return __all__
