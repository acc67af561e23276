"""docs/semantics.md: symbolic links, which never lead outside the account."""

import pytest

from support.raw_sftp import (F_CREAT, F_READ, F_TRUNC, F_WRITE, LSTAT, NO_SUCH_FILE, OK, OPEN,
                              OPENDIR, READLINK, RMDIR, STAT, SYMLINK, Attrs)

NEW = F_WRITE | F_CREAT | F_TRUNC


def test_relative_and_absolute_targets_are_followed(raw, remote):
    raw.mkdir(f"{remote}/folder")
    raw.put(f"{remote}/folder/file", b"content")
    raw.symlink("folder/file", f"{remote}/relative")
    raw.symlink(f"{remote}/folder", f"{remote}/absolute")
    raw.symlink("../relative", f"{remote}/folder/back")
    for path in ("relative", "absolute/file", "absolute/back", "absolute/../relative"):
        assert raw.get(f"{remote}/{path}") == b"content", path
    assert raw.readlink(f"{remote}/absolute") == remote.encode() + b"/folder"
    assert set(raw.list(f"{remote}/absolute")) == {b"file", b"back"}


def test_stat_follows_and_lstat_does_not(raw, remote):
    raw.put(f"{remote}/file", b"1234567")
    raw.symlink("file", f"{remote}/link")
    assert raw.stat(f"{remote}/link").permissions & 0o170000 == 0o100000
    assert raw.stat(f"{remote}/link").size == 7
    assert raw.lstat(f"{remote}/link").permissions & 0o170000 == 0o120000
    assert raw.lstat(f"{remote}/link").size == 4
    listed = raw.list(remote)
    assert listed[b"link"].attrs.permissions & 0o170000 == 0o120000


def test_dangling_links_exist_but_lead_nowhere(raw, remote):
    raw.symlink("none", f"{remote}/link")
    assert raw.status_of(STAT, f"{remote}/link") == NO_SUCH_FILE
    assert raw.status_of(LSTAT, f"{remote}/link") == OK
    assert raw.status_of(OPEN, f"{remote}/link", F_READ, Attrs()) == NO_SUCH_FILE
    raw.put(f"{remote}/link", b"made through the link")
    assert raw.get(f"{remote}/none") == b"made through the link"
    assert raw.readlink(f"{remote}/link") == b"none"


def test_loops_end(raw, remote):
    raw.symlink("b", f"{remote}/a")
    raw.symlink("a", f"{remote}/b")
    raw.symlink("self/x", f"{remote}/self")
    for path in ("a", "a/file", "self"):
        assert raw.status_of(STAT, f"{remote}/{path}") != OK
        assert raw.status_of(OPEN, f"{remote}/{path}", NEW, Attrs()) != OK
    assert raw.readlink(f"{remote}/a") == b"b"


def test_removing_and_renaming_touch_the_link_alone(raw, remote):
    raw.mkdir(f"{remote}/folder")
    raw.put(f"{remote}/folder/file", b"content")
    raw.symlink("folder", f"{remote}/link")
    assert raw.status_of(RMDIR, f"{remote}/link") != OK
    raw.rename(f"{remote}/link", f"{remote}/renamed")
    assert raw.readlink(f"{remote}/renamed") == b"folder"
    raw.remove(f"{remote}/renamed")
    assert raw.get(f"{remote}/folder/file") == b"content"


def test_setstat_reaches_the_target(raw, remote):
    raw.put(f"{remote}/file", b"1")
    raw.symlink("file", f"{remote}/link")
    raw.setstat(f"{remote}/link", Attrs(permissions=0o600, atime=1_500_000_000,
                                        mtime=1_500_000_000))
    assert raw.stat(f"{remote}/file").permissions == 0o100600
    assert raw.stat(f"{remote}/file").mtime == 1_500_000_000


def test_what_is_not_a_link_cannot_be_read_as_one(raw, remote):
    raw.put(f"{remote}/file", b"1")
    assert raw.status_of(READLINK, f"{remote}/file") not in (OK, NO_SUCH_FILE)
    assert raw.status_of(READLINK, f"{remote}/none") == NO_SUCH_FILE
    assert raw.status_of(SYMLINK, "target", f"{remote}/file") not in (OK, NO_SUCH_FILE)
    assert raw.status_of(SYMLINK, "target", f"{remote}/none/link") == NO_SUCH_FILE


def test_realpath_resolves_links_and_dots(raw, remote):
    raw.mkdir(f"{remote}/folder")
    raw.symlink("folder", f"{remote}/link")
    for path in ("folder", "./folder//", "folder/../folder/.", "link", "link/../folder"):
        assert raw.realpath(f"{remote}/{path}") == f"{remote}/folder".encode(), path
    assert raw.realpath(f"{remote}/link/new") == f"{remote}/folder/new".encode()


@pytest.mark.shoebox
def test_no_path_and_no_link_leads_outside_the_account(raw, remote):
    assert raw.realpath(".") == b"/" and raw.realpath("/../..") == b"/"
    for path in ("/etc/passwd", "../../../../etc/passwd", f"{remote}/../../../etc/passwd"):
        assert raw.status_of(OPEN, path, F_READ, Attrs()) == NO_SUCH_FILE
    for number, target in enumerate(("/etc", "../../../../../etc", "/", "/../..")):
        raw.symlink(target, f"{remote}/{number}")
        assert raw.status_of(OPEN, f"{remote}/{number}/passwd", F_READ, Attrs()) == NO_SUCH_FILE
    assert raw.status_of(OPENDIR, f"{remote}/0") == NO_SUCH_FILE
    assert set(raw.list(f"{remote}/2")) == set(raw.list("/")) == set(raw.list(f"{remote}/3"))
