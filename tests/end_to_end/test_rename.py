"""docs/semantics.md: RENAME and posix-rename."""

import pytest

from support.content import content
from support.raw_sftp import (EXTENDED, EXTENDED_REPLY, F_CREAT, F_READ, F_TRUNC, F_WRITE,
                              NO_SUCH_FILE, OK, RENAME, Attrs)

NEW = F_WRITE | F_CREAT | F_TRUNC
POSIX = "posix-rename@openssh.com"


def test_rename_onto_an_existing_name_fails_and_keeps_both(raw, remote):
    raw.put(f"{remote}/a", b"first")
    raw.put(f"{remote}/b", b"second")
    raw.mkdir(f"{remote}/folder")
    for target in ("b", "folder"):
        assert raw.status_of(RENAME, f"{remote}/a", f"{remote}/{target}") not in (OK, NO_SUCH_FILE)
    assert raw.get(f"{remote}/a") == b"first" and raw.get(f"{remote}/b") == b"second"


def test_rename_of_what_is_missing_or_into_what_is_missing(raw, remote):
    raw.put(f"{remote}/a", b"1")
    assert raw.status_of(RENAME, f"{remote}/none", f"{remote}/b") == NO_SUCH_FILE
    assert raw.status_of(RENAME, f"{remote}/a", f"{remote}/none/a") == NO_SUCH_FILE
    assert raw.status_of(EXTENDED, POSIX, f"{remote}/none", f"{remote}/b") == NO_SUCH_FILE
    assert raw.status_of(EXTENDED, POSIX, f"{remote}/a", f"{remote}/none/a") == NO_SUCH_FILE
    assert raw.get(f"{remote}/a") == b"1"


def test_rename_keeps_content_times_and_mode(raw, remote):
    raw.put(f"{remote}/a", content(300_000), attrs=Attrs(permissions=0o600))
    raw.setstat(f"{remote}/a", Attrs(atime=1_400_000_000, mtime=1_500_000_000))
    raw.mkdir(f"{remote}/folder")
    raw.rename(f"{remote}/a", f"{remote}/folder/b")
    found = raw.stat(f"{remote}/folder/b")
    assert (found.permissions, found.mtime) == (0o100600, 1_500_000_000)
    assert raw.get(f"{remote}/folder/b") == content(300_000) and not raw.exists(f"{remote}/a")


def test_posix_rename_replaces_a_file_at_once(raw, remote):
    raw.put(f"{remote}/letter", b"old")
    raw.put(f"{remote}/.letter.tmp", content(200_000), attrs=Attrs(permissions=0o640))
    raw.posix_rename(f"{remote}/.letter.tmp", f"{remote}/letter")
    assert raw.get(f"{remote}/letter") == content(200_000)
    assert raw.stat(f"{remote}/letter").permissions == 0o100640
    assert list(raw.list(remote)) == [b"letter"]


def test_posix_rename_between_kinds(raw, remote):
    raw.put(f"{remote}/file", b"1")
    for name in ("empty", "full", "moved"):
        raw.mkdir(f"{remote}/{name}")
    raw.put(f"{remote}/full/file", b"2")
    raw.put(f"{remote}/moved/file", b"3")
    assert raw.status_of(EXTENDED, POSIX, f"{remote}/file", f"{remote}/empty") != OK
    assert raw.status_of(EXTENDED, POSIX, f"{remote}/moved", f"{remote}/file") != OK
    assert raw.status_of(EXTENDED, POSIX, f"{remote}/moved", f"{remote}/full") != OK
    raw.posix_rename(f"{remote}/moved", f"{remote}/empty")
    assert raw.get(f"{remote}/empty/file") == b"3" and not raw.exists(f"{remote}/moved")


def test_posix_rename_onto_itself_changes_nothing(raw, remote):
    raw.put(f"{remote}/file", b"content")
    raw.posix_rename(f"{remote}/file", f"{remote}/file")
    assert raw.get(f"{remote}/file") == b"content"


def test_a_directory_cannot_move_below_itself(raw, remote):
    raw.mkdir(f"{remote}/a")
    raw.mkdir(f"{remote}/a/b")
    for target in ("a/b/c", "a/c"):
        assert raw.status_of(RENAME, f"{remote}/a", f"{remote}/{target}") != OK
        assert raw.status_of(EXTENDED, POSIX, f"{remote}/a", f"{remote}/{target}") != OK
    assert raw.exists(f"{remote}/a/b")


def test_renaming_a_directory_moves_everything_below(raw, remote):
    raw.mkdir(f"{remote}/a")
    raw.mkdir(f"{remote}/a/deep")
    raw.put(f"{remote}/a/deep/file", b"content")
    raw.rename(f"{remote}/a", f"{remote}/b")
    assert raw.get(f"{remote}/b/deep/file") == b"content" and not raw.exists(f"{remote}/a/deep/file")
    raw.mkdir(f"{remote}/a")
    assert raw.list(f"{remote}/a") == {}


def test_rename_while_open_the_handle_follows(raw, remote):
    raw.mkdir(f"{remote}/folder")
    handle = raw.open(f"{remote}/folder/a", NEW | F_READ)
    raw.write(handle, 0, content(300_000)[:200_000])
    raw.rename(f"{remote}/folder/a", f"{remote}/folder/b")
    raw.rename(f"{remote}/folder", f"{remote}/moved")
    raw.write(handle, 200_000, content(300_000)[200_000:])
    assert raw.read(handle, 199_990, 20) == content(300_000)[199_990:200_010]
    raw.close(handle)
    assert raw.get(f"{remote}/moved/b") == content(300_000)
    assert not raw.exists(f"{remote}/folder")


def test_a_file_that_is_being_written_can_replace_another(raw, remote):
    raw.put(f"{remote}/target", b"old")
    handle = raw.open(f"{remote}/temporary", NEW)
    raw.write(handle, 0, content(200_000)[:100_000])
    raw.posix_rename(f"{remote}/temporary", f"{remote}/target")
    raw.write(handle, 100_000, content(200_000)[100_000:])
    raw.close(handle)
    assert raw.get(f"{remote}/target") == content(200_000)
    assert list(raw.list(remote)) == [b"target"]


@pytest.mark.shoebox
def test_a_directorys_handle_follows_it(raw, remote):
    raw.mkdir(f"{remote}/a", Attrs(permissions=0o755))
    raw.put(f"{remote}/a/file", b"1")
    handle = raw.open_directory(f"{remote}/a")
    raw.posix_rename(f"{remote}/a", f"{remote}/b")
    raw.mkdir(f"{remote}/a", Attrs(permissions=0o755))  # Another one under its old name.
    raw.fsetstat(handle, Attrs(permissions=0o700))
    assert raw.fstat(handle).permissions == 0o040700
    assert raw.stat(f"{remote}/a").permissions == 0o040755
    assert raw.stat(f"{remote}/b").permissions == 0o040700
    assert b"file" in [entry.name for entry in raw.entries(handle)]
    raw.close(handle)


def test_a_files_space_is_told_wherever_it_is(raw, remote):
    handle = raw.open(f"{remote}/file", NEW)
    raw.posix_rename(f"{remote}/file", f"{remote}/elsewhere")
    assert raw.extended("fstatvfs@openssh.com", handle).type == EXTENDED_REPLY
    raw.remove(f"{remote}/elsewhere")
    assert raw.extended("fstatvfs@openssh.com", handle).type == EXTENDED_REPLY
    raw.close(handle)


def test_the_reader_of_a_replaced_file_keeps_the_old_content(raw, remote):
    raw.put(f"{remote}/target", content(300_000, "old"))
    raw.put(f"{remote}/source", content(300_000, "new"))
    reader = raw.open(f"{remote}/target", F_READ)
    assert raw.read(reader, 0, 100) == content(300_000, "old")[:100]
    raw.posix_rename(f"{remote}/source", f"{remote}/target")
    assert raw.read(reader, 200_000, 1000) == content(300_000, "old")[200_000:201_000]
    raw.close(reader)
    assert raw.get(f"{remote}/target") == content(300_000, "new")


def test_the_writer_of_a_replaced_file_does_not_spoil_the_new_one(raw, remote):
    raw.put(f"{remote}/target", content(300_000, "old"))
    raw.put(f"{remote}/source", b"new")
    writer = raw.open(f"{remote}/target", F_WRITE)
    raw.write(writer, 0, b"late")
    raw.posix_rename(f"{remote}/source", f"{remote}/target")
    raw.write(writer, 4, b" and later")
    raw.close(writer)
    assert raw.get(f"{remote}/target") == b"new"


def test_chains_of_atomic_saves(raw, remote):
    for number in range(30):
        handle = raw.open(f"{remote}/.tmp", NEW)
        raw.write(handle, 0, content(1000 + number, number))
        raw.close(handle)
        raw.posix_rename(f"{remote}/.tmp", f"{remote}/file")
    assert raw.get(f"{remote}/file") == content(1029, 29)
    assert list(raw.list(remote)) == [b"file"]
