"""docs/semantics.md: directories and their listings."""

from support.raw_sftp import (FAILURE, MKDIR, NO_SUCH_FILE, OK, OPENDIR, READDIR, RMDIR, STAT,
                              STATUS, Attrs)


def test_mkdir_makes_one_level_with_its_mode(raw, remote):
    raw.mkdir(f"{remote}/a", Attrs(permissions=0o750))
    assert raw.stat(f"{remote}/a").permissions == 0o040750
    assert raw.status_of(MKDIR, f"{remote}/none/b", Attrs()) == NO_SUCH_FILE
    raw.mkdir(f"{remote}/slash/")
    assert raw.exists(f"{remote}/slash")


def test_mkdir_of_what_exists_is_a_failure(raw, remote):
    raw.put(f"{remote}/file", b"1")
    raw.mkdir(f"{remote}/folder")
    for name in ("file", "folder", "."):
        assert raw.status_of(MKDIR, f"{remote}/{name}", Attrs()) == FAILURE


def test_rmdir_takes_only_empty_directories(raw, remote):
    raw.mkdir(f"{remote}/a")
    raw.put(f"{remote}/a/file", b"1")
    assert raw.status_of(RMDIR, f"{remote}/a") == FAILURE
    assert raw.status_of(RMDIR, f"{remote}/a/file") != OK
    assert raw.status_of(RMDIR, f"{remote}/none") == NO_SUCH_FILE
    raw.remove(f"{remote}/a/file")
    raw.rmdir(f"{remote}/a")
    assert not raw.exists(f"{remote}/a")


def test_a_file_on_the_way_is_an_error(raw, remote):
    raw.put(f"{remote}/file", b"1")
    for request in ((STAT, f"{remote}/file/below"), (MKDIR, f"{remote}/file/below", Attrs()),
                    (OPENDIR, f"{remote}/file")):
        assert raw.status_of(*request) in (NO_SUCH_FILE, FAILURE)


def test_listings_carry_attributes_and_long_names(raw, remote):
    raw.put(f"{remote}/file", b"12345", attrs=Attrs(permissions=0o644))
    raw.setstat(f"{remote}/file", Attrs(atime=1_000_000_000, mtime=1_000_000_000))
    raw.mkdir(f"{remote}/folder", Attrs(permissions=0o755))
    entries = raw.list(remote)
    assert set(entries) == {b"file", b"folder"}
    file, folder = entries[b"file"], entries[b"folder"]
    assert (file.attrs.size, file.attrs.permissions, file.attrs.mtime) == (5, 0o100644, 1_000_000_000)
    assert file.longname.startswith(b"-rw-r--r--") and file.longname.endswith(b" file")
    assert b" 5 Sep  9  2001 " in file.longname or b" 5 Sep  8  2001 " in file.longname
    assert folder.attrs.permissions == 0o040755 and folder.longname.startswith(b"drwxr-xr-x")


def test_dot_and_dot_dot_are_listed(raw, remote):
    handle = raw.open_directory(remote)
    names = [entry.name for entry in raw.entries(handle)]
    raw.close(handle)
    assert sorted(names) == [b".", b".."]


def test_what_stays_is_listed_once_while_others_come_and_go(raw, remote):
    stays = {b"stays%03d" % number for number in range(300)}
    goes = [b"goes%03d" % number for number in range(300)]
    for name in (*stays, *goes):
        raw.mkdir(remote.encode() + b"/" + name)
    handle, seen = raw.open_directory(remote), []
    for number, entry in enumerate(raw.entries(handle)):
        seen.append(entry.name)
        if number < 300:
            raw.rmdir(remote.encode() + b"/" + goes[number])
            raw.mkdir(remote.encode() + b"/" + b"comes%03d" % number)
    raw.close(handle)
    assert sorted(name for name in seen if name in stays) == sorted(stays)
    assert len(seen) == len(set(seen))


def test_a_listing_has_a_hundred_names_a_reply(raw, remote):
    """A directory of 1,000 must not cost hundreds of round trips."""
    for number in range(400):
        raw.mkdir(f"{remote}/{number}")
    handle, replies = raw.open_directory(remote), 0
    while raw.ask(READDIR, handle).type != STATUS:
        replies += 1
    raw.close(handle)
    assert replies <= 5


def test_changes_in_a_directory_move_its_time(raw, remote):
    raw.setstat(remote, Attrs(atime=1_000_000_000, mtime=1_000_000_000))
    raw.put(f"{remote}/file", b"1")
    assert raw.stat(remote).mtime > 1_000_000_000
    raw.setstat(remote, Attrs(atime=1_000_000_000, mtime=1_000_000_000))
    raw.remove(f"{remote}/file")
    assert raw.stat(remote).mtime > 1_000_000_000


def test_deep_paths(raw, remote):
    path = remote
    for number in range(100):
        path += f"/{number}"
        raw.mkdir(path)
    raw.put(f"{path}/file", b"deep")
    assert raw.get(f"{path}/file") == b"deep"
    assert raw.get(f"{path}/../../{'/'.join('..' for _ in range(40))}/58/59/" +
                   "/".join(str(number) for number in range(60, 100)) + "/file") == b"deep"
