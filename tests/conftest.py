"""Corpora that many tests read and none may change."""

from collections.abc import Iterator

import hypothesis
import pytest

from poetgen.config import PrepareConfig
from poetgen.text.corpus import Corpus, load_corpus, save_corpus
from poetgen.text.prepare import prepare
from tests.real_data import TANG
from tests.synthetic import write_poems

# The outcome of a test depends on the program alone: the same examples every time, and as much
# time for each as a busy machine takes. ``make fuzz`` looks for new ones.
_PATIENT = hypothesis.settings(
    deadline=None, database=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("same", _PATIENT, derandomize=True)
hypothesis.settings.register_profile("fuzz", _PATIENT, derandomize=False, print_blob=True)
hypothesis.settings.load_profile("same")


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Keep torch's threads from waiting for each other on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Sixty synthetic poems, prepared, saved and loaded; no split is empty."""
    folder = tmp_path_factory.mktemp("small")
    write_poems(folder / "poems.txt", num_poems=60, seed=3)
    corpus = prepare([folder / "poems.txt"], "small", PrepareConfig()).corpus
    save_corpus(corpus, folder / "small")
    return load_corpus(folder / "small")


@pytest.fixture(scope="session")
def tang_corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """The 58 files of the complete Tang poems, prepared in about five seconds."""
    if not TANG.is_dir():
        pytest.skip(f"the Tang poems are not in {TANG}")
    folder = tmp_path_factory.mktemp("tang")
    corpus = prepare([TANG], "tang", PrepareConfig()).corpus
    save_corpus(corpus, folder / "tang")
    return load_corpus(folder / "tang")
