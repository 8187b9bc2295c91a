"""What takes long and is tested apart is left out of races."""

import pytest

from poetgen.comparison import schedule


@pytest.fixture(autouse=True, scope="session")
def quick_measures():
    """Start no processes to measure them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedule, "cold_seconds", lambda path: 0.25)
        yield
