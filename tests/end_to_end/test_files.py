"""docs/semantics.md: opening, writing, truncating, removing files; attributes; copies."""

import os

import pytest

from support.content import content
from support.raw_sftp import (CLOSE, EOF, F_APPEND, F_CREAT, F_EXCL, F_READ, F_TRUNC, F_WRITE,
                              FAILURE, FSETSTAT, FSTAT, NO_SUCH_FILE, OK, OPEN, PERMISSION_DENIED, READ,
                              REMOVE, SETSTAT, STAT, STATUS, WRITE, Attrs, StatusError, U64)

NEW = F_WRITE | F_CREAT | F_TRUNC


def test_open_of_what_is_missing_says_no_such_file(raw, remote):
    for path in (f"{remote}/none", f"{remote}/none/file"):
        assert raw.status_of(OPEN, path, F_READ, Attrs()) == NO_SUCH_FILE
        assert raw.status_of(OPEN, path, F_WRITE, Attrs()) == NO_SUCH_FILE
        assert raw.status_of(STAT, path) == NO_SUCH_FILE
    assert raw.status_of(OPEN, f"{remote}/none/file", NEW, Attrs()) == NO_SUCH_FILE


def test_exclusive_create_fails_on_what_exists(raw, remote):
    raw.close(raw.open(f"{remote}/lock", F_WRITE | F_CREAT | F_EXCL))
    assert raw.status_of(OPEN, f"{remote}/lock", F_WRITE | F_CREAT | F_EXCL, Attrs()) == FAILURE
    raw.symlink("none", f"{remote}/link")
    assert raw.status_of(OPEN, f"{remote}/link", F_WRITE | F_CREAT | F_EXCL, Attrs()) == FAILURE


def test_a_directory_cannot_be_opened_as_a_file(raw, remote):
    raw.mkdir(f"{remote}/folder")
    assert raw.status_of(OPEN, f"{remote}/folder", F_WRITE, Attrs()) == FAILURE
    assert raw.status_of(OPEN, f"{remote}/folder", NEW, Attrs()) == FAILURE


def test_handles_do_only_what_they_were_opened_for(raw, remote):
    raw.put(f"{remote}/file", b"content")
    reader, writer = raw.open(f"{remote}/file", F_READ), raw.open(f"{remote}/file", F_WRITE)
    assert raw.status_of(WRITE, reader, U64(0), b"X") not in (OK, EOF)
    assert raw.status_of(READ, writer, U64(0), 10) not in (OK, EOF)
    raw.close(reader)
    raw.close(writer)
    assert raw.get(f"{remote}/file") == b"content"


def test_closed_and_invented_handles_are_refused(raw, remote):
    handle = raw.open(f"{remote}/file", NEW)
    raw.close(handle)
    for wrong in (handle, b"", b"\xff\xff\xff\xff", b"x" * 200):
        for request in ((CLOSE, wrong), (FSTAT, wrong), (READ, wrong, U64(0), 1),
                        (WRITE, wrong, U64(0), b"X")):
            assert raw.status_of(*request) not in (OK, EOF)
    assert raw.get(f"{remote}/file") == b""


def test_truncate_on_open_empties_the_file_at_once(raw, remote):
    raw.put(f"{remote}/file", content(200_000))
    handle = raw.open(f"{remote}/file", F_WRITE | F_TRUNC)
    assert raw.stat(f"{remote}/file").size == 0
    raw.close(handle)
    assert raw.get(f"{remote}/file") == b""


def test_writing_without_truncate_keeps_the_rest(raw, remote):
    whole = bytearray(content(200_000))
    raw.put(f"{remote}/file", bytes(whole))
    raw.put(f"{remote}/file", b"new beginning", flags=F_WRITE | F_CREAT)
    whole[:13] = b"new beginning"
    assert raw.get(f"{remote}/file") == bytes(whole)


def test_a_reader_sees_a_file_that_is_overwritten_in_place(raw, remote):
    raw.put(f"{remote}/file", b"old content, longer")
    reader = raw.open(f"{remote}/file", F_READ)
    raw.put(f"{remote}/file", b"new")
    assert raw.read(reader, 0, 100) == b"new"
    raw.close(reader)


def test_append_ignores_offsets(raw, remote):
    raw.put(f"{remote}/log", b"first ")
    handle = raw.open(f"{remote}/log", F_WRITE | F_APPEND | F_CREAT)
    raw.write(handle, 0, b"second ")
    raw.write(handle, 1_000_000, b"third")
    raw.close(handle)
    assert raw.get(f"{remote}/log") == b"first second third"


def test_two_appenders_lose_nothing(raw, remote):
    first, second = (raw.open(f"{remote}/log", F_WRITE | F_APPEND | F_CREAT) for _ in range(2))
    ids = []
    for number in range(100):
        ids.append(raw.send(WRITE, (first, second)[number % 2], U64(0), b"%03d\n" % number))
    for request_id in ids:
        raw.reply(request_id).ok()
    raw.close(first)
    raw.close(second)
    assert raw.get(f"{remote}/log") == b"".join(b"%03d\n" % number for number in range(100))


def test_gaps_read_as_zeros(raw, remote):
    handle = raw.open(f"{remote}/sparse", NEW | F_READ)
    raw.write(handle, 5_000_000_000, b"end")
    raw.write(handle, 100_000, b"middle")
    raw.close(handle)
    assert raw.stat(f"{remote}/sparse").size == 5_000_000_003
    handle = raw.open(f"{remote}/sparse", F_READ)
    assert raw.read(handle, 99_998, 10) == b"\0\0middle\0\0"
    assert raw.read(handle, 3_000_000_000, 1000) == bytes(1000)
    assert raw.read(handle, 4_999_999_998, 100) == b"\0\0end"
    raw.close(handle)
    raw.remove(f"{remote}/sparse")


def test_truncate_to_a_size_by_path(raw, remote):
    raw.put(f"{remote}/file", content(100_000))
    raw.setstat(f"{remote}/file", Attrs(size=40_000))
    assert raw.get(f"{remote}/file") == content(100_000)[:40_000]
    raw.setstat(f"{remote}/file", Attrs(size=50_000))
    assert raw.get(f"{remote}/file") == content(100_000)[:40_000] + bytes(10_000)
    assert raw.status_of(SETSTAT, f"{remote}/none", Attrs(size=0)) == NO_SUCH_FILE


@pytest.mark.shoebox
def test_a_file_of_more_than_a_pebibyte_is_refused(raw, remote):
    raw.put(f"{remote}/file", b"kept")
    with pytest.raises(StatusError) as refused:
        raw.setstat(f"{remote}/file", Attrs(size=(1 << 50) + 1))
    assert refused.value.code == FAILURE and "too large" in refused.value.message
    raw.setstat(f"{remote}/file", Attrs(size=1 << 50))
    assert raw.stat(f"{remote}/file").size == 1 << 50
    raw.setstat(f"{remote}/file", Attrs(size=4))
    assert raw.get(f"{remote}/file") == b"kept"


def test_cutting_and_growing_never_shows_old_bytes(raw, remote):
    raw.put(f"{remote}/file", content(400_000))
    handle = raw.open(f"{remote}/file", F_READ | F_WRITE)
    raw.fsetstat(handle, Attrs(size=100_000))
    raw.fsetstat(handle, Attrs(size=400_000))
    assert raw.read(handle, 99_990, 20) == content(400_000)[99_990:100_000] + bytes(10)
    raw.close(handle)
    assert raw.get(f"{remote}/file") == content(400_000)[:100_000] + bytes(300_000)


def test_unlink_while_open_reads_and_writes_go_on(raw, remote):
    raw.put(f"{remote}/file", content(300_000))
    handle = raw.open(f"{remote}/file", F_READ | F_WRITE)
    raw.remove(f"{remote}/file")
    assert not raw.exists(f"{remote}/file")
    raw.write(handle, 100_000, b"changed")
    assert raw.read(handle, 99_999, 9) == (content(300_000)[99_999:100_000] + b"changed" +
                                           content(300_000)[100_007:100_008])
    assert raw.fstat(handle).size == 300_000
    raw.close(handle)
    assert not raw.exists(f"{remote}/file") and raw.list(remote) == {}


def test_unlink_of_a_file_that_is_being_uploaded(raw, remote):
    handle = raw.open(f"{remote}/file", NEW)
    raw.write(handle, 0, content(200_000))
    raw.remove(f"{remote}/file")
    raw.write(handle, 200_000, content(100_000))
    raw.close(handle)
    assert raw.list(remote) == {}


def test_a_new_file_under_the_name_of_an_unlinked_open_one_is_another(raw, remote):
    old = raw.open(f"{remote}/file", NEW | F_READ)
    raw.write(old, 0, b"old")
    raw.remove(f"{remote}/file")
    raw.put(f"{remote}/file", b"a new one")
    raw.write(old, 3, b" still")
    assert raw.read(old, 0, 100) == b"old still"
    raw.close(old)
    assert raw.get(f"{remote}/file") == b"a new one"


def test_modes_and_times_are_kept(raw, remote):
    handle = raw.open(f"{remote}/file", NEW, Attrs(permissions=0o100640))
    raw.close(handle)
    assert raw.stat(f"{remote}/file").permissions == 0o100640
    raw.setstat(f"{remote}/file", Attrs(permissions=0o100755, atime=1, mtime=4_000_000_000))
    found = raw.stat(f"{remote}/file")
    assert (found.permissions, found.atime, found.mtime) == (0o100755, 1, 4_000_000_000)
    raw.close(raw.open(f"{remote}/file", F_WRITE | F_CREAT, Attrs(permissions=0o600)))
    assert raw.stat(f"{remote}/file").permissions == 0o100755  # Only what is new takes them.


def test_new_files_and_directories_get_their_modes_without_the_umask(raw, remote):
    """OpenSSH's client asks for 0777 when it makes a directory."""
    raw.close(raw.open(f"{remote}/file", NEW, Attrs(permissions=0o100666)))
    raw.close(raw.open(f"{remote}/plain", NEW, Attrs()))
    raw.mkdir(f"{remote}/folder", Attrs(permissions=0o1777))
    raw.mkdir(f"{remote}/plain folder", Attrs())
    assert raw.stat(f"{remote}/file").permissions == 0o100644
    assert raw.stat(f"{remote}/plain").permissions == 0o100644
    assert raw.stat(f"{remote}/folder").permissions & 0o40777 == 0o40755
    assert raw.stat(f"{remote}/plain folder").permissions == 0o40755
    raw.setstat(f"{remote}/file", Attrs(permissions=0o666))
    assert raw.stat(f"{remote}/file").permissions == 0o100666


def test_modes_of_the_owner_are_enforced(raw, remote):
    raw.put(f"{remote}/file", b"content")
    raw.setstat(f"{remote}/file", Attrs(permissions=0o400))
    for flags in (F_WRITE, F_WRITE | F_TRUNC, F_READ | F_WRITE):
        assert raw.status_of(OPEN, f"{remote}/file", flags, Attrs()) == PERMISSION_DENIED
    assert raw.get(f"{remote}/file") == b"content"
    raw.setstat(f"{remote}/file", Attrs(permissions=0o200))
    assert raw.status_of(OPEN, f"{remote}/file", F_READ, Attrs()) == PERMISSION_DENIED
    raw.mkdir(f"{remote}/folder")
    raw.put(f"{remote}/folder/file", b"1")
    raw.setstat(f"{remote}/folder", Attrs(permissions=0o500))
    assert raw.status_of(OPEN, f"{remote}/folder/new", NEW, Attrs()) == PERMISSION_DENIED
    assert raw.status_of(REMOVE, f"{remote}/folder/file") == PERMISSION_DENIED
    assert raw.get(f"{remote}/folder/file") == b"1"
    raw.setstat(f"{remote}/folder", Attrs(permissions=0o600))
    assert raw.status_of(STAT, f"{remote}/folder/file") == PERMISSION_DENIED
    raw.setstat(f"{remote}/folder", Attrs(permissions=0o700))
    raw.setstat(f"{remote}/file", Attrs(permissions=0o600))
    assert raw.get(f"{remote}/file") == b"content"


def test_a_new_file_may_be_written_whatever_its_mode(raw, remote):
    """git and restic make files read-only and write through the handle that made them."""
    handle = raw.open(f"{remote}/object", F_WRITE | F_CREAT | F_EXCL, Attrs(permissions=0o444))
    raw.write(handle, 0, b"content")
    raw.close(handle)
    assert raw.get(f"{remote}/object") == b"content"
    assert raw.stat(f"{remote}/object").permissions == 0o100444
    raw.remove(f"{remote}/object")


def test_owner_and_group_accept_oneself_and_leave_it(raw, remote):
    raw.put(f"{remote}/file", b"1")
    mine = raw.stat(f"{remote}/file")
    for uid, gid in ((mine.uid, mine.gid), (mine.uid, 0xFFFFFFFF), (0xFFFFFFFF, mine.gid),
                     (0xFFFFFFFF, 0xFFFFFFFF)):
        raw.setstat(f"{remote}/file", Attrs(uid=uid, gid=gid))
    after = raw.stat(f"{remote}/file")
    assert (after.uid, after.gid) == (mine.uid, mine.gid)


def test_setstat_of_everything_at_once_on_a_fresh_handle(raw, remote):
    """sshj, node's ssh2 and Net::SFTP::Foreign send this, and give up where it fails."""
    handle = raw.open(f"{remote}/file", NEW)
    mine = raw.fstat(handle)
    raw.fsetstat(handle, Attrs(size=0, uid=mine.uid, gid=mine.gid, permissions=0o100644,
                               atime=1_500_000_000, mtime=1_500_000_000))
    raw.write(handle, 0, b"content")
    raw.close(handle)
    raw.setstat(f"{remote}/file", Attrs())
    assert raw.get(f"{remote}/file") == b"content"


def test_fsync_makes_the_bytes_visible_and_the_handle_goes_on(raw, remote):
    handle = raw.open(f"{remote}/file", NEW)
    raw.write(handle, 0, content(50_000))
    raw.fsync(handle)
    assert raw.get(f"{remote}/file") == content(50_000)
    raw.write(handle, 50_000, b"more")
    raw.close(handle)
    assert raw.get(f"{remote}/file") == content(50_000) + b"more"


@pytest.mark.parametrize("size", [10, 700_000])
def test_copy_data_copies_ranges(raw, remote, size):
    raw.put(f"{remote}/a", content(size))
    raw.put(f"{remote}/b", b"0123456789")
    source, target = raw.open(f"{remote}/a", F_READ), raw.open(f"{remote}/b", F_WRITE)
    raw.extended("copy-data", source, U64(2), U64(5), target, U64(7)).ok()
    raw.close(target)
    assert raw.get(f"{remote}/b") == b"0123456" + content(size)[2:7]
    target = raw.open(f"{remote}/c", NEW)
    raw.extended("copy-data", source, U64(0), U64(0), target, U64(0)).ok()  # 0: to the end
    raw.close(target)
    raw.close(source)
    assert raw.get(f"{remote}/c") == content(size)
    raw.remove(f"{remote}/a")
    assert raw.get(f"{remote}/c") == content(size)


def test_copy_data_appends_where_writes_would(raw, remote):
    raw.put(f"{remote}/a", b"more")
    raw.put(f"{remote}/b", b"0123456789")
    source = raw.open(f"{remote}/a", F_READ)
    target = raw.open(f"{remote}/b", F_WRITE | F_APPEND)
    raw.extended("copy-data", source, U64(0), U64(0), target, U64(2)).ok()
    raw.close(target)
    raw.close(source)
    assert raw.get(f"{remote}/b") == b"0123456789more"


@pytest.mark.shoebox
def test_a_refused_owner_leaves_the_size(raw, remote):
    raw.put(f"{remote}/file", b"0123456789")
    owner = raw.stat(f"{remote}/file")
    foreign = Attrs(size=3, uid=owner.uid + 1, gid=owner.gid)
    assert raw.status_of(SETSTAT, f"{remote}/file", foreign) == PERMISSION_DENIED
    handle = raw.open(f"{remote}/file", F_WRITE)
    assert raw.status_of(FSETSTAT, handle, foreign) == PERMISSION_DENIED
    assert raw.status_of(SETSTAT, f"{remote}/file", foreign) == PERMISSION_DENIED
    raw.close(handle)
    assert raw.get(f"{remote}/file") == b"0123456789"


def test_space_is_plausible(raw, remote):
    block, fragment, blocks, free, available, *_ = raw.statvfs(remote)
    assert block > 0 and fragment > 0 and blocks > 0 and 0 < available <= blocks
    handle = raw.open(f"{remote}/file", NEW)
    reply = raw.extended("fstatvfs@openssh.com", handle)
    assert reply.type != STATUS
    raw.close(handle)
    assert free <= blocks


@pytest.mark.quickstart
def test_space_is_that_of_the_disk_below(raw, server):
    disk = os.statvfs(server.folder_of_data)
    _, fragment, blocks, _, available, *_ = raw.statvfs("/")
    assert blocks * fragment == pytest.approx(disk.f_blocks * disk.f_frsize, rel=0.001)
    assert available * fragment <= disk.f_blocks * disk.f_frsize


def test_the_home_directory_is_ones_own(raw, remote):
    raw.put(f"{remote}/file", b"content")
    own, home = raw.stat(f"{remote}/file"), raw.realpath(".")
    assert (raw.stat(home).uid, raw.stat(home).gid) == (own.uid, own.gid)
    raw.setstat(home, Attrs(uid=own.uid, gid=own.gid))


def test_many_files_open_at_once(raw, remote):
    handles = [raw.open(f"{remote}/{number}", NEW) for number in range(200)]
    for number, handle in enumerate(handles):
        raw.write(handle, 0, b"%d" % number)
    for handle in handles:
        raw.close(handle)
    assert raw.get(f"{remote}/137") == b"137"


def test_remove_says_what_is_wrong(raw, remote):
    raw.mkdir(f"{remote}/folder")
    assert raw.status_of(REMOVE, f"{remote}/none") == NO_SUCH_FILE
    assert raw.status_of(REMOVE, f"{remote}/folder") == FAILURE
