"""From what the user names to inputs: files, folders, archives, standard input, limits."""

import gzip
import io
import json
import os
import random
import stat
import subprocess
import sys
import tarfile
import threading
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from poetgen import limits
from poetgen.config import PrepareConfig
from poetgen.corpus.prepare import build_corpus
from poetgen.errors import SourceError
from poetgen.reading import RawPoem, find_files, find_inputs, read_document
from tests.reading.test_formats import read
from tests.synthetic import synthetic_poem

POEM = "床前明月光，疑是地上霜。"
JSON = json.dumps([{"title": "静夜思", "paragraphs": [POEM]}]).encode()
NAMES = ["b/10.json", "b/9.json", "a.txt", "b/1.jsonl", "c.csv"]
IN_ORDER = ["a.txt", "b/1.jsonl", "b/9.json", "b/10.json", "c.csv"]


def names_of(*sources):
    return [input.name for input in find_inputs([*sources])]


def poems_of(*sources):
    return [poem for input in find_inputs([*sources]) for poem in read_document(input).poems]


def in_folder(folder, names=NAMES):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(numbered(name))
    return folder


def numbered(name):
    return json.dumps([{"title": name, "paragraphs": [POEM]}]).encode()


def zipped(path, names=NAMES, content=numbered, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in names:
            archive.writestr(name, content(name if isinstance(name, str) else name.filename))
    return path


def tarred(path, names=NAMES, content=numbered, mode="w:gz"):
    with tarfile.open(path, mode) as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(content(name))
            archive.addfile(info, io.BytesIO(content(name)))
    return path


@pytest.fixture
def stdin(monkeypatch):
    def give(data):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        return Path("-")

    return give


# --- files and folders ----------------------------------------------------------------------


def test_a_file_is_its_own_only_input_whatever_its_name(tmp_path):
    path = tmp_path / "poems.dat"
    path.write_text(POEM, encoding="utf-8")
    assert find_files(path) == [path]
    assert names_of(path) == [path.as_posix()]
    assert poems_of(path) == [RawPoem(POEM)]


def test_a_folder_gives_the_files_with_poems_at_any_depth_by_their_numbers(tmp_path):
    in_folder(
        tmp_path,
        [*NAMES, "poet.10000.json", "poet.2000.json", "POET.TXT", "x.xml", "LICENSE", "README.md"],
    )
    (tmp_path / "folder.json").mkdir()
    expected = ["POET.TXT", *IN_ORDER, "poet.2000.json", "poet.10000.json"]
    assert names_of(tmp_path) == [f"{tmp_path.as_posix()}/{name}" for name in expected]


def test_the_files_that_macos_adds_are_ignored(tmp_path):
    names = ["a.txt", "._a.txt", "__MACOSX/._a.txt", "__MACOSX/b.txt"]
    assert len(find_inputs([zipped(tmp_path / "a.zip", names)])) == 1
    assert len(find_inputs([in_folder(tmp_path / "folder", names)])) == 1


def test_sources_are_read_in_the_order_in_which_they_are_given(tmp_path):
    sources = [in_folder(tmp_path / name, [f"{name}.json"]) for name in "cab"]
    assert [poem.title for poem in poems_of(*sources)] == ["c.json", "a.json", "b.json"]


def test_a_source_that_is_missing_or_without_poems_is_refused(tmp_path):
    for name in ("nothing", "x" * 5_000, "nul\0"):
        with pytest.raises(SourceError, match=r"no file or folder|cannot be read"):
            find_inputs([tmp_path / name])
    in_folder(tmp_path, ["poem.xml"])
    with pytest.raises(SourceError, match=r"holds no \.json, .* or \.zip file"):
        find_inputs([tmp_path])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="needs file permissions")
def test_a_file_without_permission_is_refused_when_it_is_read(tmp_path):
    path = in_folder(tmp_path) / "a.txt"
    path.chmod(0)
    [input] = find_inputs([path])
    with pytest.raises(SourceError, match="cannot be read: Permission denied"):
        input.read()


def test_a_file_that_goes_away_is_refused_when_it_is_read(tmp_path):
    path = in_folder(tmp_path) / "a.txt"
    [input] = find_inputs([path])
    path.unlink()
    with pytest.raises(SourceError, match=r"a\.txt cannot be read: No such file"):
        input.read()


def test_a_name_with_control_characters_is_written_in_escapes(tmp_path):
    names = names_of(zipped(tmp_path / "a.zip", ["red\x1b[31m.txt"]))
    assert names == [f"{tmp_path.as_posix()}/a.zip/red\\x1b[31m.txt"]


def test_a_number_in_a_name_may_be_longer_than_any_number(tmp_path):
    long = "9" * 5_000
    names = names_of(tarred(tmp_path / "a.tgz", [f"1{long}.txt", f"{long}.txt", "08.txt", "7.txt"]))
    assert [len(name.rpartition("/")[2]) for name in names] == [5, 6, 5_004, 5_005]


# --- archives -------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [zipped, tarred, lambda path: tarred(path, mode="w:")])
@pytest.mark.parametrize("name", ["poems.zip", "poems.tgz", "poems.txt", "poems"])
def test_an_archive_is_its_folder_whatever_its_name(tmp_path, pack, name, stdin):
    folder = in_folder(tmp_path / "folder")
    path = pack(tmp_path / name)
    assert names_of(path) == [f"{path.as_posix()}/{member}" for member in IN_ORDER]
    assert poems_of(path) == poems_of(folder)
    assert [poem.title for poem in poems_of(path)] == IN_ORDER
    source = stdin(path.read_bytes())
    assert names_of(source) == [f"standard input/{member}" for member in IN_ORDER]


def test_archives_in_a_folder_and_packed_files_in_an_archive_are_unpacked(tmp_path):
    zipped(tmp_path / "1.zip", ["a.json.gz"], lambda name: gzip.compress(numbered(name)))
    (tmp_path / "2.json.gz").write_bytes(gzip.compress(JSON[:40]) + gzip.compress(JSON[40:]))
    assert [poem.title for poem in poems_of(tmp_path)] == ["a.json.gz", "静夜思"]


def test_the_hash_of_a_packed_file_is_that_of_its_content(tmp_path):
    path = tmp_path / "poems.gz"
    path.write_bytes(gzip.compress(JSON))
    plain = tmp_path / "poems.json"
    plain.write_bytes(JSON)
    one, two = (read_document(input) for input in find_inputs([path, plain]))
    assert one.sha256 == two.sha256


def test_members_can_be_read_in_any_order_and_more_than_once(tmp_path):
    for path in (zipped(tmp_path / "a.zip"), tarred(tmp_path / "a.tgz")):
        inputs = find_inputs([path])
        random.Random(0).shuffle(inputs)
        for input in inputs * 2:
            assert input.read() == numbered(input.name.removeprefix(f"{path.as_posix()}/"))


def test_an_archive_without_poems_or_within_another_one_is_refused(tmp_path):
    [input] = find_inputs([zipped(tmp_path / "a.zip", ["a.xml", "README.md"])])
    with pytest.raises(SourceError, match=r"The archive .*a\.zip holds no \.json"):
        input.read()
    inner = zipped(tmp_path / "inner.zip").read_bytes()
    for pack in (zipped, tarred):
        [input] = find_inputs([pack(tmp_path / "outer", ["inner.zip"], lambda name: inner)])
        with pytest.raises(SourceError, match=r"outer/inner\.zip is an archive within another"):
            read_document(input)


@pytest.mark.parametrize(
    "name", ["../a.txt", "a/../../a.txt", "/etc/a.txt", "C:\\a.txt", "..\\a.txt", "a/..\\..\\a.txt"]
)
def test_a_path_that_leads_out_of_an_archive_is_refused_by_name(tmp_path, name):
    for path in (zipped(tmp_path / "a.zip", [name, "b.txt"]), tarred(tmp_path / "a.tgz", [name])):
        bad = next(input for input in find_inputs([path]) if not input.name.endswith("b.txt"))
        with pytest.raises(SourceError, match="a path that leads out of the archive"):
            bad.read()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tgz", "a.zip"]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_an_archive_are_refused(tmp_path, kind):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        info = tarfile.TarInfo("a.txt")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    [input] = find_inputs([path])
    with pytest.raises(SourceError, match=r"a\.txt is a link or a device"):
        input.read()


def test_a_link_in_a_zip_is_refused(tmp_path):
    info = zipfile.ZipInfo("a.txt")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    [input] = find_inputs([zipped(tmp_path / "a.zip", [info], lambda name: b"/etc/passwd")])
    with pytest.raises(SourceError, match=r"a\.txt is a link"):
        input.read()


def test_an_encrypted_zip_is_refused_by_that_word(tmp_path):
    data = bytearray(zipped(tmp_path / "a.zip", ["a.txt"]).read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    [input] = find_inputs([tmp_path / "a.zip"])
    with pytest.raises(SourceError, match=r"a\.txt is encrypted"):
        input.read()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_unusual_zip_is_refused(tmp_path, method):
    [input] = find_inputs([zipped(tmp_path / "a.zip", ["a.txt"], method=method)])
    with pytest.raises(SourceError, match="not packed with deflate"):
        input.read()


@pytest.mark.parametrize("pack", [zipped, tarred])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_an_archive_that_is_cut_off_is_refused_by_name(tmp_path, pack, share):
    data = pack(tmp_path / "whole").read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(SourceError, match="cut"):
        poems_of(path)


def test_a_packed_file_that_is_cut_off_or_changed_is_refused(tmp_path):
    data = gzip.compress(JSON)
    for bad in (data[:-9], data[:10], data[:30] + b"\xff" + data[31:], data[:-1] + b"\x01"):
        path = tmp_path / "poems.gz"
        path.write_bytes(bad)
        with pytest.raises(SourceError, match=r"poems\.gz is damaged"):
            poems_of(path)


# --- limits ---------------------------------------------------------------------------------


def test_nothing_larger_than_the_limit_is_read_or_unpacked(tmp_path, monkeypatch, stdin):
    monkeypatch.setattr(limits, "MAX_BYTES", 3 * 2**20)
    (tmp_path / "packed.txt.gz").write_bytes(gzip.compress(bytes(50 * 2**20)))
    (tmp_path / "plain.txt").write_bytes(b"x" * (3 * 2**20 + 1))
    zipped(tmp_path / "a.zip", ["zeros.txt"], lambda name: bytes(50 * 2**20))
    tarred(tmp_path / "a.tgz", ["zeros.txt"], lambda name: bytes(50 * 2**20))
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(SourceError, match="holds more than 3,145,728 bytes"):
            poems_of(path)
    with pytest.raises(SourceError, match="standard input holds more than"):
        find_inputs([stdin(bytes(3 * 2**20 + 1))])


def test_a_zip_that_lies_about_its_sizes_is_found_out(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_BYTES", 2**20)
    data = bytearray(zipped(tmp_path / "a.zip", ["a.txt"], lambda n: bytes(2**22)).read_bytes())
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = (1_000).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(SourceError, match=r"a\.zip/a\.txt is damaged"):
        poems_of(tmp_path / "a.zip")


def test_an_archive_of_too_many_members_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "MAX_MEMBERS", 10)
    for pack in (zipped, tarred):
        path = pack(tmp_path / "a", [f"{number}.md" for number in range(11)])
        with pytest.raises(SourceError, match="more than 10 members"):
            poems_of(path)


MANY = {
    "plain": "日月\n" * 12,
    "paragraphs": "日月\n\n" * 12,
    "prose": "to be\n" * 12,
    "title-content": "题:日月\n" * 12,
    "title-author-content": "题::谁::日月\n" * 12,
    "csv": "title,text\n" + "题,月\n" * 12,
    "jsonl": '{"text":"日"}\n' * 12,
    "jsonl of books": '{"content":[{"content":"日"},{"content":"月"},{"content":"山"}]}\n' * 4,
    "chinese-poetry": json.dumps([{"text": "日"}] * 12),
}


@pytest.mark.parametrize("kind", MANY)
def test_more_lines_or_poems_than_any_collection_has_are_refused(monkeypatch, kind):
    assert read(MANY[kind]).poems
    monkeypatch.setattr(limits, "MAX_POEMS", 11)
    with pytest.raises(SourceError, match=r"holds more than 11 (lines|poems)"):
        read(MANY[kind])


def test_a_few_kilobytes_of_short_lines_do_not_fill_the_memory(tmp_path):
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"ab\n" * 8_000_000, compresslevel=1))
    tracemalloc.start()
    with pytest.raises(SourceError, match="more than 2,097,152 lines"):
        poems_of(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150e6  # the text itself has 24 MB


def test_many_files_do_not_fill_the_memory_either(tmp_path, monkeypatch):
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text("题:日月山水日月山水。\n" * 5, encoding="utf-8")
    monkeypatch.setattr(limits, "MAX_POEMS", 14)
    with pytest.raises(SourceError, match="more than 14 poems"):
        build_corpus([tmp_path], "x", PrepareConfig())


def test_json_of_too_many_values_is_refused_before_it_is_read(monkeypatch):
    text = json.dumps([{"text": ["日"] * 30, "more": [[], {}]}])
    assert read(text).poems
    monkeypatch.setattr(limits, "MAX_JSON_VALUES", 30)
    with pytest.raises(SourceError, match="more than 30 values"):
        read(text)


def test_a_poem_of_many_lines_is_limited_like_a_line(monkeypatch):
    monkeypatch.setattr(limits, "MAX_LINE_CHARS", 100)
    with pytest.raises(SourceError, match=r"Poem 2 of poems.txt has 2\d\d characters"):
        read("日月，山水。\n\n" + "日月山水，\n" * 40 + "\n月")


def test_a_single_long_line_is_refused_by_its_number(monkeypatch):
    monkeypatch.setattr(limits, "MAX_LINE_CHARS", 1_000)
    line = "日" * 1_001
    for text in (
        f"月\n{line}",
        f"题:月。\n题:{line}",
        f"月。\n\n{line}",
        f'{{"text":""}}\n{{"text":"{line}"}}',
    ):
        with pytest.raises(SourceError, match=r"Line [23] of poems.txt has 1,0"):
            read(text)
    with pytest.raises(SourceError, match="Line 2 of"):
        read(f'title,text\n"{line}",月\n')


@pytest.mark.long
def test_a_gigabyte_in_one_line_ends_in_an_error_in_little_memory(tmp_path):
    code = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from poetgen.errors import SourceError\n"
        "from poetgen.reading import read_poems\n"
        "try:\n    read_poems(Path(sys.argv[1]))\n"
        "except SourceError as error:\n    print(error.problem)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    for size, problem in ((2**30, "holds more than"), (500 * 2**20, "Line 1 of")):
        path = tmp_path / "line.txt"
        with path.open("wb") as stream:
            for _ in range(size // 2**20):
                stream.write("日月山水".encode() * (2**20 // 12))
        done = subprocess.run(
            [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
        )
        said, peak_kib = done.stdout.splitlines()
        assert problem in said
        assert int(peak_kib) < 1.5 * 2**20


# --- standard input -------------------------------------------------------------------------


def test_a_dash_is_standard_input_of_any_format(stdin, tmp_path):
    for data in (JSON, gzip.compress(JSON), JSON.decode().encode("utf-16")):
        [input] = find_inputs([stdin(data)])
        assert input.name == "standard input"
        assert read_document(input).poems == [RawPoem(POEM, "静夜思")]
    folder = in_folder(tmp_path, ["a.json"])
    assert [poem.title for poem in poems_of(folder, stdin(JSON), folder)] == [
        *("a.json", "静夜思", "a.json")
    ]


def test_standard_input_can_be_given_only_once_and_has_to_be_there(stdin, monkeypatch):
    with pytest.raises(SourceError, match="given twice"):
        find_inputs([stdin(JSON), Path("-")])
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SourceError, match="no standard input"):
        find_inputs([Path("-")])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_read_like_a_file(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=lambda: path.write_bytes(gzip.compress(JSON)))
    writer.start()
    assert poems_of(path) == [RawPoem(POEM, "静夜思")]
    writer.join()


# --- together with prepare ------------------------------------------------------------------


def test_bad_inputs_among_good_ones_end_the_work_or_are_skipped_and_named(tmp_path):
    rng = random.Random(5)
    good = [{"paragraphs": [synthetic_poem(rng)]} for _ in range(40)]
    (tmp_path / "good.json").write_text(json.dumps(good), encoding="utf-8")
    (tmp_path / "broken.json").write_text("[{", encoding="utf-8")
    (tmp_path / "other.json").write_text('[{"id": 1}]', encoding="utf-8")
    (tmp_path / "authors.json").write_text('[{"name": "李白", "desc": "诗人"}]', encoding="utf-8")
    zipped(tmp_path / "bad.zip", ["../a.json"])
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04\x00\x00")
    (tmp_path / "noise.txt").write_bytes(bytes(range(256)))
    with pytest.raises(SourceError, match=r"bad\.zip/\.\./a\.json"):
        build_corpus([tmp_path], "x", PrepareConfig())
    prepared = build_corpus([tmp_path], "x", PrepareConfig(), skip_bad=True)
    assert prepared.corpus.report.read == 40
    assert [source.file for source in prepared.corpus.provenance] == ["good.json"]
    for said, name in zip(
        prepared.skipped,
        ["bad.zip/../a", "broken", "cut", "noise", "other", "authors"],
        strict=True,
    ):
        assert name in said


def test_a_folder_and_its_archives_make_the_same_corpus(tmp_path):
    rng = random.Random(6)
    poems = {
        name: json.dumps([{"paragraphs": [synthetic_poem(rng)]}] * 3).encode() for name in NAMES
    }
    folder = in_folder(tmp_path / "folder")
    for name, data in poems.items():
        (folder / name).write_bytes(data)
    sources = [
        folder,
        zipped(tmp_path / "a.zip", content=poems.__getitem__),
        tarred(tmp_path / "a.tgz", content=poems.__getitem__),
    ]
    corpora = [build_corpus([source], "x", PrepareConfig()).corpus for source in sources]
    assert len({corpus.fingerprint for corpus in corpora}) == 1
    assert corpora[0].provenance == corpora[1].provenance == corpora[2].provenance


def test_the_encoding_that_is_given_reaches_the_reader(tmp_path):
    rng = random.Random(7)
    path = tmp_path / "poems.txt"
    path.write_text(
        "\n".join(f"题:{synthetic_poem(rng)}" for _ in range(9)), encoding="cp950", errors="ignore"
    )
    one, two = (
        build_corpus([path], "x", PrepareConfig(encoding=encoding)).corpus
        for encoding in (None, "cp950")
    )
    assert one.report == two.report
    with pytest.raises(SourceError, match="is not UTF-8 throughout"):
        build_corpus([path], "x", PrepareConfig(encoding="utf-8"))
