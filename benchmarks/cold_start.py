"""A poem from a cold start, against importing torch."""

from benchmarks.measure import compare, process


def rows() -> list[str]:
    """Measure whole processes."""
    poem = process(["-m", "poetgen", "generate", "--start", "日", "--temp", "0.8"])
    torch = process(["-c", "import torch"])
    return [compare(poem, torch, pairs=9).line("generate / import torch", "at most 0.20")]
