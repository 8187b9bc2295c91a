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
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poetgen.errors import SourceError
from poetgen.fetching import named, web
from poetgen.fetching.pinned import MANIFEST, PinnedCorpus, PinnedFile, load_pinned
from poetgen.reading import read_poems
from tests.real_data import FACTS, SHAKESPEARE, TANG, TIME_MACHINE, needs_english, needs_tang

# --- a server that can behave as badly as the real ones ---------------------------------


@dataclass
class Manners:
    """How the server treats one path; ``drops`` is used up, one entry a request."""

    drops: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    ignore_range: bool = False
    hide_length: bool = False
    retry_after: str | None = None
    stall_after: int | None = None
    slow_seconds: float = 0.0
    not_alone: bool = False


class Server(ThreadingHTTPServer):
    """Serves ``files`` (path without a leading slash -> bytes) and remembers requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.manners: dict[str, Manners] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.raw_paths: list[str] = []
        self.busy = 0
        self.most_busy = 0
        self.waited_for = False
        self.lock = threading.Condition()
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def served(self, path: str) -> int:
        return sum(1 for one, _ in self.requests if one == path)

    def handle_error(self, request, client_address) -> None:
        pass  # clients of these tests hang up as a matter of course


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0]).lstrip("/")
        wanted = self.headers["Range"]
        with self.server.lock:
            self.server.requests.append((path, wanted))
            self.server.raw_paths.append(self.path)
            self.server.busy += 1
            self.server.most_busy = max(self.server.most_busy, self.server.busy)
        try:
            self.answer(path, wanted, self.server.manners.get(path, Manners()))
        finally:
            with self.server.lock:
                self.server.busy -= 1

    def answer(self, path: str, wanted: str | None, manners: Manners) -> None:
        self.server.closing.wait(manners.slow_seconds)
        if manners.not_alone:
            with self.server.lock:
                self.server.lock.notify_all()
                self.server.lock.wait_for(lambda: self.server.most_busy > 1, 60)
        status = manners.statuses.pop(0) if manners.statuses else 200
        content = self.server.files.get(path)
        if content is None or status != 200:
            self.reply(404 if content is None else status, b"", manners)
            return
        start = 0
        if wanted is not None and not manners.ignore_range:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.reply(416, b"", manners)
                return
        span = f"bytes {start}-{len(content) - 1}/{len(content)}" if start else None
        self.reply(206 if start else 200, content[start:], manners, span)

    def reply(self, status: int, body: bytes, manners: Manners, span: str | None = None) -> None:
        self.send_response(status)
        if manners.hide_length:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        if span is not None:
            self.send_header("Content-Range", span)
        if manners.retry_after is not None:
            self.send_header("Retry-After", manners.retry_after)
        self.end_headers()
        if manners.drops and body:
            self.wfile.write(body[: manners.drops.pop(0)])
            self.close_connection = True
        elif manners.stall_after is not None and body:
            self.wfile.write(body[: manners.stall_after])
            self.wfile.flush()
            # Whoever is here to the end has waited for us.
            self.server.waited_for |= not self.server.closing.wait(60)
            self.close_connection = True
        else:
            self.wfile.write(body)


@contextmanager
def running_server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def server():
    with running_server() as running:
        yield running


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(web, "BACKOFF_SECONDS", 0.001)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


# --- a small corpus ---------------------------------------------------------------------


def noise(seed: int, num_bytes: int) -> bytes:
    return hashlib.shake_128(str(seed).encode()).digest(num_bytes)


def make_corpus(*sizes: int) -> tuple[PinnedCorpus, dict[str, bytes]]:
    contents = {f"poet.{number}.json": noise(number, size) for number, size in enumerate(sizes)}
    files = tuple(
        PinnedFile(
            name,
            len(content),
            hashlib.sha256(content).hexdigest(),
            f"全诗/{name}",
            f"dist/quanshi/{name}",
        )
        for name, content in contents.items()
    )
    return PinnedCorpus("small", files, "someone/poems", "c0ffee", "poems@1.0.0"), contents


CORPUS, CONTENTS = make_corpus(5_000, 300_000, 70_001)
FIRST, SECOND, THIRD = (file.name for file in CORPUS.files)
LAYOUTS = ("全诗", "poems/全诗", "dist/quanshi", "package/dist/quanshi", "")


def laid_out(layout: str, contents: dict[str, bytes] = CONTENTS) -> dict[str, bytes]:
    return {f"{layout}/{name}".lstrip("/"): content for name, content in contents.items()}


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def spoilt(content: bytes) -> bytes:
    return content[:100] + bytes([content[100] ^ 1]) + content[101:]


def fetch(folder: Path, corpus: PinnedCorpus = CORPUS, **options) -> list[Path]:
    nothing = {"mirror": None, "github": None, "npm": None}
    quiet = {"on_progress": lambda done, total: None, "on_note": lambda note: None}
    return named.fetch_pinned(corpus, folder, **{**nothing, **quiet, **options})


def assert_all_here(folder: Path, paths: list[Path], corpus=CORPUS, contents=CONTENTS) -> None:
    assert paths == [folder / file.name for file in corpus.files]
    assert {path.name: path.read_bytes() for path in paths} == contents
    assert sorted(path.name for path in folder.iterdir()) == sorted(contents)


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


# --- from every place, in every layout --------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_mirror_may_be_a_folder_in_any_layout(layout, tmp_path):
    mirror = write_folder(tmp_path / "mirror", laid_out(layout))
    for number, name in enumerate((str(mirror), mirror.as_uri())):
        folder = tmp_path / str(number)
        assert_all_here(folder, fetch(folder, mirror=name))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_mirror_may_be_a_server_in_any_layout(layout, server, tmp_path):
    server.files = laid_out("up/诗" + ("/" if layout else "") + layout)
    assert_all_here(tmp_path, fetch(tmp_path, mirror=f"{server.url}/up/诗/"))
    assert all(path.isascii() for path in server.raw_paths)


def test_github_is_asked_for_the_pinned_commit(server, tmp_path):
    server.files = laid_out("someone/poems/c0ffee/全诗")
    assert_all_here(tmp_path, fetch(tmp_path, github=server.url))
    assert len(server.requests) == len(CORPUS.files)


def test_the_query_of_a_mirror_stays_behind_the_path(server, tmp_path):
    server.files = laid_out("data")
    fetch(tmp_path, mirror=f"{server.url}/data?key=a%20b")
    assert f"/data/{FIRST}?key=a%20b" in server.raw_paths


def test_the_layout_that_worked_is_tried_first(server, tmp_path):
    corpus, contents = make_corpus(*[200] * 60)
    server.files = laid_out("", contents)
    assert_all_here(tmp_path, fetch(tmp_path, corpus, mirror=server.url), corpus, contents)
    # At worst each of the eight threads has to find it out by itself.
    assert len(server.requests) <= 60 + 8 * (len(LAYOUTS) - 1)


def test_files_come_side_by_side_but_not_more_than_eight(server, tmp_path):
    corpus, contents = make_corpus(*[200] * 24)
    server.files = laid_out("全诗", contents)
    # The first is not served before a second has asked.
    server.manners = {path: Manners(not_alone=True) for path in server.files}
    fetch(tmp_path, corpus, mirror=server.url)
    assert 2 <= server.most_busy <= 8


# --- the cache --------------------------------------------------------------------------


def test_what_is_in_the_cache_is_not_fetched_again(server, tmp_path):
    server.files = laid_out("全诗")
    fetch(tmp_path, mirror=server.url)
    server.requests.clear()
    assert_all_here(tmp_path, fetch(tmp_path, mirror=server.url))
    assert_all_here(tmp_path, fetch(tmp_path))
    assert server.requests == []


@pytest.mark.parametrize("damage", [spoilt, lambda content: content[:-1], lambda content: b""])
def test_a_damaged_file_in_the_cache_is_fetched_again_alone(damage, server, tmp_path):
    server.files = laid_out("全诗")
    write_folder(tmp_path, {**CONTENTS, SECOND: damage(CONTENTS[SECOND])})
    assert_all_here(tmp_path, fetch(tmp_path, mirror=server.url))
    assert server.requests == [(f"全诗/{SECOND}", None)]


def test_each_source_is_asked_only_for_what_is_still_missing(server, tmp_path):
    folder, cache = tmp_path / "mirror", tmp_path / "cache"
    write_folder(folder, {FIRST: CONTENTS[FIRST]})
    write_folder(cache, {THIRD: CONTENTS[THIRD]})
    server.files = laid_out("someone/poems/c0ffee/全诗")
    notes: list[str] = []
    paths = fetch(cache, mirror=str(folder), github=server.url, on_note=notes.append)
    assert_all_here(cache, paths)
    assert [path for path, _ in server.requests] == [f"someone/poems/c0ffee/全诗/{SECOND}"]
    assert notes == [
        f"Fetching 2 files from {folder}.",
        f"{folder}: {SECOND} is not there.",
        "Fetching 1 file from GitHub.",
    ]


def test_two_runs_at_once_do_not_disturb_each_other(server, tmp_path):
    server.files = laid_out("全诗")
    server.manners = {path: Manners(slow_seconds=0.01) for path in server.files}
    failures: list[BaseException] = []

    def run() -> None:
        try:
            fetch(tmp_path, mirror=server.url)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert_all_here(tmp_path, fetch(tmp_path))


# --- bad connections --------------------------------------------------------------------


def test_a_dropped_download_goes_on_where_it_broke_off(server, tmp_path):
    server.files = laid_out("全诗")
    server.manners = {f"全诗/{SECOND}": Manners(drops=[100_000, 90_000])}
    assert_all_here(tmp_path, fetch(tmp_path, mirror=server.url))
    ranges = [wanted for path, wanted in server.requests if path.endswith(SECOND)]
    assert ranges == [None, "bytes=100000-", "bytes=190000-"]


def test_a_server_without_ranges_sends_the_whole_file_again(server, tmp_path):
    server.files = laid_out("全诗")
    server.manners = {f"全诗/{SECOND}": Manners(drops=[200_000], ignore_range=True)}
    assert_all_here(tmp_path, fetch(tmp_path, mirror=server.url))
    assert server.served(f"全诗/{SECOND}") == 2


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    drops=st.lists(st.integers(0, 299_999), max_size=4),
    ignore_range=st.booleans(),
    hide_length=st.booleans(),
    already=st.integers(0, 300_000),
)
def test_wherever_it_breaks_the_same_bytes_arrive(
    drops, ignore_range, hide_length, already, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("cache")
    write_folder(folder, {f"{SECOND}.part": CONTENTS[SECOND][:already]})
    with running_server() as server:
        server.files = laid_out("全诗")
        server.manners = {f"全诗/{SECOND}": Manners(list(drops), [], ignore_range, hide_length)}
        assert_all_here(folder, fetch(folder, mirror=server.url))


def test_a_later_run_continues_what_an_earlier_one_left(server, tmp_path):
    server.files = laid_out("全诗")
    # No try brings enough to count as progress, so the source is given up.
    server.manners = {f"全诗/{SECOND}": Manners(drops=[40_000, 10, 10, 10, 10])}
    with pytest.raises(SourceError, match=f"{SECOND}.*the connection dropped"):
        fetch(tmp_path, mirror=server.url)
    assert (tmp_path / f"{SECOND}.part").read_bytes() == CONTENTS[SECOND][:40_040]
    assert SECOND not in names_in(tmp_path)
    assert_all_here(tmp_path, fetch(tmp_path, mirror=server.url))
    assert server.requests[-1] == (f"全诗/{SECOND}", "bytes=40040-")


def test_a_bad_line_that_makes_progress_gets_there_in_the_end(server, tmp_path):
    corpus, contents = make_corpus(1_500_000)
    server.files = laid_out("全诗", contents)
    (path,) = server.files
    server.manners = {path: Manners(drops=[100_000] * 14)}
    assert_all_here(tmp_path, fetch(tmp_path, corpus, mirror=server.url), corpus, contents)


@pytest.mark.parametrize(
    "left", [spoilt(CONTENTS[SECOND])[:150_000], spoilt(CONTENTS[SECOND]), b"x" * 300_001]
)
def test_a_bad_part_file_is_thrown_away_and_not_the_source_blamed(left, server, tmp_path):
    server.files = laid_out("全诗")
    write_folder(tmp_path, {f"{SECOND}.part": left})
    assert_all_here(tmp_path, fetch(tmp_path, mirror=server.url))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(status, server, tmp_path):
    server.files = laid_out("全诗")
    server.manners = {f"全诗/{FIRST}": Manners(statuses=[status, status], retry_after="0")}
    assert_all_here(tmp_path, fetch(tmp_path, mirror=server.url))
    assert server.served(f"全诗/{FIRST}") == 3


def test_a_busy_server_is_given_the_time_it_asks_for(server, tmp_path):
    server.files = laid_out("全诗")
    server.manners = {f"全诗/{FIRST}": Manners(statuses=[429], retry_after="1")}
    began = time.monotonic()
    fetch(tmp_path, mirror=server.url)
    assert time.monotonic() - began >= 1


def test_a_server_that_stays_busy_is_given_up_without_a_request_for_every_file(server, tmp_path):
    corpus, contents = make_corpus(*[200] * 60)
    server.files = laid_out("全诗", contents)
    server.manners = {path: Manners(statuses=[503] * 99) for path in server.files}
    with pytest.raises(SourceError, match=r"59 other files.*HTTP 503"):
        fetch(tmp_path, corpus, mirror=server.url)
    assert len(server.requests) <= 8 * web.TRIES


# --- wrong files ------------------------------------------------------------------------


def test_a_wrong_byte_is_refused_and_named_with_both_hashes(server, tmp_path):
    server.files = {**laid_out("全诗"), f"全诗/{SECOND}": spoilt(CONTENTS[SECOND])}
    with pytest.raises(SourceError) as caught:
        fetch(tmp_path, mirror=server.url)
    right, wrong = CONTENTS[SECOND], spoilt(CONTENTS[SECOND])
    for word in (
        SECOND,
        server.url,
        hashlib.sha256(right).hexdigest(),
        hashlib.sha256(wrong).hexdigest(),
    ):
        assert word in caught.value.problem
    assert names_in(tmp_path) == {FIRST, THIRD}, "the others are kept, and no part of the wrong"


def test_the_next_source_makes_a_wrong_byte_good(server, tmp_path):
    mirror = write_folder(tmp_path / "mirror", {**CONTENTS, SECOND: spoilt(CONTENTS[SECOND])})
    server.files = laid_out("someone/poems/c0ffee/全诗")
    notes: list[str] = []
    folder = tmp_path / "cache"
    paths = fetch(folder, mirror=str(mirror), github=server.url, on_note=notes.append)
    assert_all_here(folder, paths)
    assert len(server.requests) == 1
    assert any(SECOND in note and "hash" in note for note in notes)


def test_the_wrong_file_is_named_rather_than_an_absent_one(tmp_path):
    mirror = write_folder(tmp_path / "mirror", {THIRD: spoilt(CONTENTS[THIRD])})
    with pytest.raises(SourceError, match=f"^{THIRD} and 2 other files of small .*expected"):
        fetch(tmp_path / "cache", mirror=str(mirror))


@pytest.mark.parametrize("hide_length", [False, True])
@pytest.mark.parametrize("change", [lambda content: content[:-7], lambda content: content + b"!"])
def test_a_file_of_another_size_is_refused(change, hide_length, server, tmp_path):
    server.files = {**laid_out("全诗"), f"全诗/{SECOND}": change(CONTENTS[SECOND])}
    server.manners = {f"全诗/{SECOND}": Manners(hide_length=hide_length)}
    with pytest.raises(SourceError, match=SECOND):
        fetch(tmp_path, mirror=server.url)
    assert SECOND not in names_in(tmp_path)
    server.files = laid_out("全诗")
    server.manners = {}
    assert_all_here(tmp_path, fetch(tmp_path, mirror=server.url))


def test_a_server_that_answers_everything_with_a_page_does_not_hide_the_layout(server, tmp_path):
    page = b"<html>Not here, but 200 all the same</html>"
    server.files = {
        **{f"{layout}/{name}".lstrip("/"): page for layout in LAYOUTS for name in CONTENTS},
        **laid_out("dist/quanshi"),
    }
    assert_all_here(tmp_path, fetch(tmp_path, mirror=server.url))


# --- nowhere to be had ------------------------------------------------------------------


@pytest.fixture
def closed_port():
    """A port that nobody listens to, and that nobody else can take."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_without_a_network_the_message_lists_the_ways_to_get_the_data(tmp_path, closed_port):
    with pytest.raises(SourceError) as caught:
        fetch(tmp_path, github=closed_port, npm="no-such-npm-client")
    assert "GitHub: " in caught.value.problem
    assert "no connection to 127.0.0.1" in caught.value.problem
    assert "npm: there is no no-such-npm-client here" in caught.value.problem
    for way in (
        "install npm",
        "npm pack poems@1.0.0",
        "git clone https://github.com/someone/poems",
        "checkout c0ffee",
        "--mirror poems",
        "--mirror URL",
    ):
        assert way in caught.value.advice
    assert "\n" not in caught.value.problem + caught.value.advice


def test_a_name_that_no_server_has_is_no_network(tmp_path, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(SourceError, match=r"no connection to nowhere\.invalid"):
        fetch(tmp_path, github="http://nowhere.invalid")


def test_a_proxy_that_is_not_there_is_no_network(tmp_path, monkeypatch, closed_port):
    monkeypatch.setenv("HTTP_PROXY", closed_port)
    with pytest.raises(SourceError, match="through the proxy"):
        fetch(tmp_path, github="http://nowhere.invalid")


def test_a_server_that_has_nothing_says_404(server, tmp_path):
    with pytest.raises(SourceError, match=f"{FIRST} and 2 other files .*HTTP 404"):
        fetch(tmp_path, mirror=server.url)
    assert names_in(tmp_path) == set()


def test_no_source_at_all_is_said_too(tmp_path):
    with pytest.raises(SourceError, match="no source is left"):
        fetch(tmp_path)


@pytest.mark.parametrize("mirror", ["nowhere/at/all", "ftp://host/poems", "file:///nowhere"])
def test_a_mirror_that_is_not_there_is_not_passed_over(mirror, server, tmp_path):
    server.files = laid_out("someone/poems/c0ffee/全诗")
    with pytest.raises(SourceError, match=f"mirror {mirror} is not there"):
        fetch(tmp_path, mirror=mirror, github=server.url)
    assert server.requests == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    mirror = write_folder(tmp_path / "mirror", CONTENTS)
    with pytest.raises(SourceError, match=r"cache.*cannot be written"):
        fetch(tmp_path / "cache" / "small", mirror=str(mirror))


# --- progress and interruption ----------------------------------------------------------


def test_progress_counts_bytes_in_the_callers_thread(server, tmp_path):
    server.files = laid_out("全诗")
    server.manners = {path: Manners(drops=[3_000], slow_seconds=0.05) for path in server.files}
    write_folder(tmp_path, {THIRD: CONTENTS[THIRD]})
    seen: list[tuple[int, int]] = []
    threads = set()

    def on_progress(done: int, total: int) -> None:
        seen.append((done, total))
        threads.add(threading.current_thread())

    fetch(tmp_path, mirror=server.url, on_progress=on_progress)
    assert threads == {threading.current_thread()}
    assert {total for _, total in seen} == {CORPUS.num_bytes}
    done = [one for one, _ in seen]
    assert done == sorted(done)
    assert done[0] == len(CONTENTS[THIRD])
    assert done[-1] == CORPUS.num_bytes


def test_a_failing_callback_stops_the_downloads(server, tmp_path, monkeypatch):
    monkeypatch.setattr(web, "READ_SECONDS", 3600.0)
    server.files = laid_out("全诗")
    server.manners = {path: Manners(stall_after=1_000) for path in server.files}

    def on_progress(done: int, total: int) -> None:
        if done:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fetch(tmp_path, mirror=server.url, on_progress=on_progress)
    assert not server.waited_for
    assert names_in(tmp_path) <= {f"{name}.part" for name in CONTENTS}


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_ctrl_c_stops_at_once_and_leaves_only_parts(server, tmp_path):
    server.files = laid_out("")
    server.manners = {name: Manners(stall_after=2_000) for name in CONTENTS if name != FIRST}
    code = (
        "import sys; from pathlib import Path; from poetgen.fetching import named\n"
        "from poetgen.fetching import web; web.READ_SECONDS = 3600.0\n"
        "from poetgen.fetching.pinned import PinnedCorpus, PinnedFile\n"
        f"corpus = {CORPUS!r}\n"
        "named.fetch_pinned(corpus, Path(sys.argv[1]), mirror=sys.argv[2], github=None,\n"
        "    npm=None, on_progress=lambda done, total: print(done, flush=True),\n"
        "    on_note=lambda note: None)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path, server.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == len(CONTENTS[FIRST]) + 2 * 2_000:
            break
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=300)
    assert not server.waited_for
    assert stderr.endswith("KeyboardInterrupt\n")
    assert names_in(tmp_path) == {FIRST, f"{SECOND}.part", f"{THIRD}.part"}
    server.manners = {}
    assert_all_here(tmp_path, fetch(tmp_path, mirror=server.url))


# --- npm --------------------------------------------------------------------------------


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        link = tarfile.TarInfo(f"package/dist/quanshi/{FIRST}")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


PACKED = {
    "../../evil.json": b"evil",
    "/evil.json": b"evil",
    "package/package.json": b"{}",
    **laid_out("package/dist/quanshi"),
}


def fake_npm(folder: Path, script: str) -> str:
    client = folder / "npm"
    client.write_text(f"#!/bin/sh\n{script}\n")
    client.chmod(0o755)
    return str(client)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for npm is a shell script")
class TestNpm:
    def test_the_wanted_members_and_no_others_are_taken(self, tmp_path):
        archive = pack(tmp_path / "poems-1.0.0.tgz", PACKED)
        npm = fake_npm(tmp_path, f'echo "$1 $2" > {tmp_path}/asked; cp {archive} .')
        folder = tmp_path / "cache" / "small"
        assert_all_here(folder, fetch(folder, npm=npm))
        assert (tmp_path / "asked").read_text() == "pack poems@1.0.0\n"
        assert not list(tmp_path.rglob("*evil*"))

    def test_it_is_not_asked_when_nothing_is_missing(self, tmp_path):
        write_folder(tmp_path / "cache", CONTENTS)
        npm = fake_npm(tmp_path, f"touch {tmp_path}/asked; exit 1")
        fetch(tmp_path / "cache", npm=npm)
        assert not (tmp_path / "asked").exists()

    def test_a_failure_is_told_in_one_line(self, tmp_path):
        npm = fake_npm(tmp_path, "echo 'npm error code ENOTFOUND\nnpm error more' >&2; exit 1")
        with pytest.raises(SourceError, match=r"npm: npm pack failed \(ENOTFOUND\)"):
            fetch(tmp_path / "cache", npm=npm)

    def test_an_archive_with_a_wrong_byte_is_refused(self, tmp_path):
        wrong = {**PACKED, f"package/dist/quanshi/{SECOND}": spoilt(CONTENTS[SECOND])}
        archive = pack(tmp_path / "poems-1.0.0.tgz", wrong)
        npm = fake_npm(tmp_path, f"cp {archive} .")
        with pytest.raises(SourceError, match=f"^{SECOND} of small .*npm: .*hash"):
            fetch(tmp_path / "cache", npm=npm)
        assert names_in(tmp_path / "cache") == {FIRST, THIRD}

    def test_half_an_archive_is_no_traceback(self, tmp_path):
        archive = pack(tmp_path / "poems-1.0.0.tgz", PACKED)
        archive.write_bytes(archive.read_bytes()[:50_000])
        npm = fake_npm(tmp_path, f"cp {archive} .")
        with pytest.raises(SourceError, match=r"npm: poems-1\.0\.0\.tgz cannot be read"):
            fetch(tmp_path / "cache", npm=npm)


def test_a_mirror_may_be_the_archive_that_npm_packed(tmp_path):
    archive = pack(tmp_path / "poems-1.0.0.tgz", PACKED)
    folder = tmp_path / "cache"
    assert_all_here(folder, fetch(folder, mirror=str(archive)))


@pytest.mark.long
def test_the_real_npm_client_brings_the_song_lyrics(tmp_path):
    if shutil.which("npm") is None:
        pytest.skip("there is no npm client here")
    paths = named.fetch_corpus("ci", cache=tmp_path, github=None)
    corpus = load_pinned("ci")
    assert [path.name for path in paths] == [file.name for file in corpus.files]
    assert sum(len(read_poems(path)) for path in paths) == 21_050
    assert names_in(tmp_path / "ci") == {file.name for file in corpus.files}


# --- the real names ---------------------------------------------------------------------


def test_the_names_are_those_of_the_manifest():
    assert set(json.loads(MANIFEST.read_text(encoding="utf-8"))["corpora"]) == set(named.NAMES)
    for name in named.NAMES:
        corpus = load_pinned(name)
        assert corpus.name == name
        assert corpus.files
        assert max(Counter(file.name for file in corpus.files).values()) == 1
        for file in corpus.files:
            assert file.num_bytes > 0
            assert len(bytes.fromhex(file.sha256)) == 32
            assert Path(file.name).name == file.name


def test_the_shipped_manifest_has_all_the_facts():
    if not FACTS.is_file():
        pytest.skip(f"{FACTS} is not there")
    shipped = json.loads(MANIFEST.read_text(encoding="utf-8"))
    assert shipped == json.loads(FACTS.read_text(encoding="utf-8"))


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(SourceError) as caught:
        named.fetch_corpus("yuan", cache=tmp_path)
    assert all(name in caught.value.advice for name in named.NAMES)


def test_the_cache_is_where_the_system_keeps_such_things(monkeypatch, tmp_path):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *args, **kwargs: tmp_path)
    assert named.cache_folder() == tmp_path / "corpora"


def test_the_libraries_of_the_web_are_loaded_only_to_fetch():
    code = "import sys, poetgen.fetching.named; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"pooch", "requests", "urllib3", "tarfile", "numpy"}


@needs_tang
def test_the_whole_tang_comes_from_a_bad_server(server, tmp_path):
    server.files = {f"全唐诗/{path.name}": path.read_bytes() for path in TANG.iterdir()}
    for number, path in enumerate(sorted(server.files)):
        if number % 3 == 0:
            server.manners[path] = Manners(drops=[200_000], ignore_range=number % 2 == 0)
    paths = named.fetch_corpus("tang", mirror=server.url, cache=tmp_path, github=None, npm=None)
    assert len(paths) == 58
    assert all(path.read_bytes() == (TANG / path.name).read_bytes() for path in paths)
    assert names_in(tmp_path / "tang") == {path.name for path in paths}


@needs_tang
@pytest.mark.parametrize("layout", ["chinese-poetry/全唐诗", "全唐诗", "dist/quantangshi", ""])
def test_the_whole_tang_comes_from_a_folder(layout, tmp_path):
    mirror = tmp_path / "mirror" / layout
    mirror.parent.mkdir(parents=True, exist_ok=True)
    mirror.symlink_to(TANG)
    paths = named.fetch_corpus(
        "tang", mirror=str(tmp_path / "mirror"), cache=tmp_path / "cache", github=None, npm=None
    )
    assert [path.name for path in paths] == [
        f"poet.tang.{1000 * number}.json" for number in range(58)
    ]


@needs_english
@pytest.mark.parametrize(
    ("name", "found", "characters"),
    [("time-machine", TIME_MACHINE, 178_979), ("shakespeare", SHAKESPEARE, 1_115_394)],
)
def test_the_english_texts_come_from_a_folder(name, found, characters, tmp_path):
    mirror = str(found.parent)
    (path,) = named.fetch_corpus(name, mirror=mirror, cache=tmp_path, github=None, npm=None)
    assert path.parent == tmp_path / name
    assert len(path.read_text(encoding="utf-8")) == characters


@needs_english
def test_the_english_texts_come_under_their_names_in_the_repository(server, tmp_path):
    content = SHAKESPEARE.read_bytes()
    server.files = {"data/tinyshakespeare/input.txt": content}
    (path,) = named.fetch_corpus(
        "shakespeare", mirror=server.url, cache=tmp_path, github=None, npm=None
    )
    assert path.read_bytes() == content
