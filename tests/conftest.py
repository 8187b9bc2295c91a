"""Corpora that many tests read and none may change."""

import signal
import sys

import hypothesis
import pytest

from poetgen.config import PrepareConfig
from poetgen.corpus.corpus import Corpus
from poetgen.corpus.folder import load_corpus, save_corpus
from poetgen.corpus.prepare import build_corpus
from tests.real_data import HAS_TANG, NO_TANG, TANG
from tests.synthetic import write_poems

# The outcome of a test depends on the program alone: the same examples every time, and as much
# time for each as a busy machine takes. ``make fuzz`` looks for new ones.
_PATIENT = hypothesis.settings(
    deadline=None, database=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("same", _PATIENT, derandomize=True)
hypothesis.settings.register_profile("fuzz", _PATIENT, derandomize=False, print_blob=True)
hypothesis.settings.load_profile("same")

# A shell lets what it starts in the background ignore Ctrl-C, and so would every process that a
# test starts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Keep torch's threads from waiting for each other on a busy machine.

    Sums are then taken in the same order, too, however many cores there are.
    """
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Sixty synthetic poems, prepared, saved and loaded; no split is empty."""
    folder = tmp_path_factory.mktemp("small")
    write_poems(folder / "poems.txt", num_poems=60, seed=3)
    corpus = build_corpus([folder / "poems.txt"], "small", PrepareConfig()).corpus
    save_corpus(corpus, folder / "small")
    return load_corpus(folder / "small")


@pytest.fixture(scope="session")
def tang_corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """The 58 files of the complete Tang poems, prepared in about five seconds."""
    if not HAS_TANG:
        pytest.skip(NO_TANG)
    folder = tmp_path_factory.mktemp("tang")
    corpus = build_corpus([TANG], "tang", PrepareConfig()).corpus
    save_corpus(corpus, folder / "tang")
    return load_corpus(folder / "tang")
