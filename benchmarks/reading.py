"""Blind readings: a sheet of pairs, one poem by a person and one by a model, and its score.

    python -m benchmarks reading sheet --model tang --corpus tang --seed 1 --folder r1
    python -m benchmarks reading score r1/answers.csv --key r1/key.json

docs/poets.md says how a sheet is made and read, and has the results.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.answers import COLUMNS, Score, read_answers, read_text, score, table
from benchmarks.pairs import MAX_POEMS, SIDES, Ours, Pair, Real, make_pairs
from poetgen import __version__, load_corpus, load_poet
from poetgen.config import SampleConfig, SearchConfig
from poetgen.corpus.split import identities
from poetgen.errors import ExistsError, InputError, PoetgenError
from poetgen.files import write_text
from poetgen.places import find_model
from poetgen.verse.layout import couplets

_INSTRUCTIONS = Path(__file__).parent / "reading.md"


def main(arguments: Sequence[str]) -> int:
    """Run one of the two commands and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.command == "sheet":
            _sheet(options)
        else:
            _score(options)
    except PoetgenError as error:
        print(f"Error: {error.problem}\n{error.advice}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks reading")
    commands = parser.add_subparsers(dest="command", required=True)
    sheet = commands.add_parser("sheet", help="write a sheet, an empty table of answers and a key")
    sheet.add_argument("--model", default="tang", help="a model, by name or path")
    sheet.add_argument("--corpus", default="tang", help="a prepared corpus, by name or path")
    sheet.add_argument("--form", default="七绝,五绝", help="forms or tunes, with commas between")
    sheet.add_argument("-n", dest="num_pairs", type=int, default=20, help="how many pairs")
    sheet.add_argument("--seed", type=int, required=True, help="of all that is drawn")
    sheet.add_argument("--folder", type=Path, required=True, help="where the three files go")
    sheet.add_argument(
        "--used",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        help="keys of earlier sheets",
    )
    sheet.add_argument("--titles", action="store_true", help="print the title above each poem")
    sheet.add_argument("--best-of", type=int, help="drafts of each of our poems")
    scored = commands.add_parser("score", help="score the answers of one or more readers")
    scored.add_argument("answers", type=Path, nargs="+", help="a file for each reader")
    scored.add_argument("--key", type=Path, required=True, help="the key of the sheet")
    scored.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _sheet(options: argparse.Namespace) -> None:
    sheet, answers, key = (options.folder / n for n in ("sheet.md", "answers.csv", "key.json"))
    for path in (sheet, answers, key):
        if path.exists():
            raise ExistsError(f"{path} is already there.", "Give another --folder.")
    model, corpus = find_model(options.model), load_corpus(options.corpus)
    read = [pair for path in options.used for pair in read_key(path)]
    used = identities([poem.text for pair in read for poem in (pair.real, pair.ours)])
    search = SearchConfig(best_of=options.best_of)
    pairs = make_pairs(
        load_poet(model),
        corpus,
        re.split("[,，]", options.form),
        options.num_pairs,
        options.seed,
        used=set(used),
        titles=options.titles,
        search=search,
    )
    facts = {
        "seed": options.seed,
        "model": model.stem,
        "model_sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "corpus": corpus.name,
        "fingerprint": corpus.fingerprint,
        "titles": options.titles,
        "sampling": asdict(SampleConfig()),
        "search": asdict(search),
    }
    empty = [f"{number}{',' * (len(COLUMNS) - 1)}" for number in range(1, len(pairs) + 1)]
    write_text(sheet, sheet_of(pairs, titles=options.titles))
    write_text(answers, "\n".join([",".join(COLUMNS), *empty, ""]))
    write_text(key, json.dumps(key_of(pairs, **facts), ensure_ascii=False, indent=1) + "\n")
    print(f"Give a reader {sheet} and {answers}, and keep {key} to yourself.")


def _score(options: argparse.Namespace) -> None:
    real_sides = [pair.real_side for pair in read_key(options.key)]
    answers = {str(path): read_answers(path, len(real_sides)) for path in options.answers}
    scores = {name: score(own, real_sides) for name, own in answers.items()}
    over_all = score([one for own in answers.values() for one in own], real_sides)
    if options.json:
        readers = [{"reader": name, **_plain(one)} for name, one in scores.items()]
        shown = {"num_readers": len(readers), "readers": readers, "all": _plain(over_all)}
        print(json.dumps(shown, ensure_ascii=False, indent=1))
    else:
        print(*table({**scores, f"all, readers: {len(scores)}": over_all}), sep="\n")


def _plain(one: Score) -> dict[str, Any]:
    return {**asdict(one), "share_found": one.num_found / one.num_pairs}


def sheet_of(pairs: Sequence[Pair], *, titles: bool = False) -> str:
    """Return the sheet that a reader gets: instructions, then the poems, which are all alike."""
    instructions = _INSTRUCTIONS.read_text(encoding="utf-8").format(columns=",".join(COLUMNS))
    blocks = [instructions.rstrip()]
    for number, pair in enumerate(pairs, start=1):
        blocks.append(f"## {number} · {pair.form}")
        for side in SIDES:
            poem = pair.real if side == pair.real_side else pair.ours
            blocks.append(f"**{side}**" + (f" 《{poem.title}》" if titles else ""))
            blocks.append("\n".join(f"    {line}" for line in couplets(poem.text)))
    return "\n\n".join([*blocks, ""])


def key_of(pairs: Sequence[Pair], **facts: Any) -> dict[str, Any]:
    """Return the key of a sheet: how it was made, and for each pair its poems and which is real."""
    version = {"version": __version__, "max_poems": MAX_POEMS}
    return {**facts, **version, "pairs": [asdict(pair) for pair in pairs]}


def read_key(path: Path) -> list[Pair]:
    """Return the pairs of a key, in the order of the sheet.

    Raises:
        InputError: the file cannot be read, or is not a key.
    """
    try:
        return [
            Pair(**{**pair, "real": Real(**pair["real"]), "ours": Ours(**pair["ours"])})
            for pair in json.loads(read_text(path))["pairs"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} is not the key of a sheet.", "Give its key.json.") from error
