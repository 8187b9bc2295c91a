"""Files that are whole or not there."""

import errno
import os
import stat

import pytest

from poetgen.files import sync, write_text, write_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_whole_into_folders_that_were_not_there(tmp_path):
    path = tmp_path / "a" / "b" / "poem.txt"
    write_text(path, "床前\n明月光\n")
    assert path.read_bytes() == "床前\n明月光\n".encode()
    assert names(path.parent) == ["poem.txt"]


@pytest.mark.parametrize("error", [OSError("disk full"), ValueError(), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file_and_no_temporary_file(tmp_path, error):
    path = tmp_path / "poem.txt"
    write_text(path, "old")

    def fail(temporary):
        temporary.write_text("half of the n")
        raise error

    for target in (path, tmp_path / "new.txt"):
        with pytest.raises(type(error)):
            write_whole(target, fail)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["poem.txt"]


def test_text_that_utf8_cannot_write_leaves_the_old_file(tmp_path):
    write_text(tmp_path / "poem.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "poem.txt", "new \ud800")
    assert (tmp_path / "poem.txt").read_text() == "old"
    assert names(tmp_path) == ["poem.txt"]


def test_while_a_file_is_written_the_old_one_is_in_its_place(tmp_path):
    path = tmp_path / "poem.txt"
    write_text(path, "old")
    during = []

    def write(temporary):
        temporary.write_text("new")
        during.append((path.read_text(), temporary.parent, temporary.name.startswith(".")))

    write_whole(path, write)
    # The same folder, so that the move is one step; hidden, so that no search finds half.
    assert during == [("old", tmp_path, True)]
    assert path.read_text() == "new"


def test_a_target_that_is_a_folder_is_left_alone(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_text(tmp_path / "folder", "new")
    assert names(tmp_path) == ["folder"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes of this kind")
@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_finished_file_has_the_permissions_that_the_user_asks_for(tmp_path, mask):
    old = os.umask(mask)
    try:
        write_text(tmp_path / "poem.txt", "日")
        assert os.umask(mask) == mask
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "poem.txt").stat().st_mode) == 0o666 & ~mask


def test_sync_reaches_files_and_folders_and_complains_of_what_is_missing(tmp_path):
    write_text(tmp_path / "poem.txt", "日")
    sync(tmp_path / "poem.txt")
    sync(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "nothing")


def test_a_full_disk_is_told_with_the_file_that_has_no_room(tmp_path):
    def fill(temporary):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left") as caught:
        write_whole(tmp_path / "m.safetensors", fill)
    assert caught.value.filename == str(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())
