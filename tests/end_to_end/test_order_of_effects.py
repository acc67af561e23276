"""Requests of one channel take effect in the order sent, however early they are sent.

Each burst here is one that a real client sends without waiting; its name says whose it is.
"""

import random
import struct

import pytest

from support.content import content
from support.raw_sftp import (CLOSE, EXTENDED, F_CREAT, F_EXCL, F_READ, F_TRUNC, F_WRITE, FSETSTAT,
                              FSTAT, LSTAT, MKDIR, NO_SUCH_FILE, OK, OPEN, OPENDIR, READ, READDIR,
                              REMOVE, RENAME, SETSTAT, STAT, STATUS, WRITE, EOF, Attrs, U64)

NEW = F_WRITE | F_CREAT | F_TRUNC
TIMES = Attrs(atime=1_400_000_000, mtime=1_500_000_000)


def answers(raw, *requests):
    return [raw.reply(request_id) for request_id in raw.send_together(*requests)]


def writes(handle, whole, piece=32_768):
    return [(WRITE, handle, U64(offset), whole[offset:offset + piece])
            for offset in range(0, len(whole), piece)]


def test_sshfs_open_and_lstat_together(raw, remote):
    for number in range(20):
        path = f"{remote}/{number}"
        opened, seen = answers(raw, (OPEN, path, NEW, Attrs(permissions=0o100644)), (LSTAT, path))
        assert seen.ok().size == 0 and seen.value.permissions == 0o100644
        again, = answers(raw, (FSTAT, opened.ok()))
        assert again.ok().size == 0
        raw.close(opened.value)


def test_winscp_close_and_setstat_together(raw, remote):
    path = f"{remote}/photo.jpg"
    handle = raw.open(path, NEW)
    *_, closed, changed, seen = answers(raw, *writes(handle, content(200_000)), (CLOSE, handle),
                                        (SETSTAT, path, TIMES), (STAT, path))
    closed.ok()
    changed.ok()
    assert (seen.ok().size, seen.value.mtime) == (200_000, TIMES.mtime)
    assert raw.stat(path).mtime == TIMES.mtime and raw.get(path) == content(200_000)


def test_lftp_writes_fsetstat_and_close_in_one_breath(raw, remote):
    path, whole = f"{remote}/file", content(1_000_000)
    raw.put(path, content(2_000_000, "old"))
    handle = raw.open(path, F_WRITE | F_CREAT)
    both = Attrs(size=len(whole), atime=TIMES.atime, mtime=TIMES.mtime)
    for reply in answers(raw, *writes(handle, whole), (FSETSTAT, handle, both), (CLOSE, handle)):
        reply.ok()
    assert raw.stat(path).size == len(whole) and raw.stat(path).mtime == TIMES.mtime
    assert raw.get(path) == whole


def test_times_set_on_a_handle_survive_its_close(raw, remote):
    for size in (0, 10, 300_000):
        handle = raw.open(f"{remote}/{size}", NEW)
        for offset in range(0, size, 30_000):
            raw.write(handle, offset, content(size)[offset:offset + 30_000])
        raw.fsetstat(handle, TIMES)
        raw.close(handle)
        found = raw.stat(f"{remote}/{size}")
        assert (found.atime, found.mtime) == (TIMES.atime, TIMES.mtime), size


def test_times_set_by_path_survive_the_close_of_an_open_handle(raw, remote):
    handle = raw.open(f"{remote}/file", NEW)
    raw.write(handle, 0, b"content")
    raw.setstat(f"{remote}/file", TIMES)
    raw.close(handle)
    assert raw.stat(f"{remote}/file").mtime == TIMES.mtime


def test_a_later_write_moves_the_time_again(raw, remote):
    handle = raw.open(f"{remote}/file", NEW)
    raw.fsetstat(handle, TIMES)
    raw.write(handle, 0, b"content")
    raw.close(handle)
    assert raw.stat(f"{remote}/file").mtime > TIMES.mtime


def test_paramiko_stat_right_behind_close_shows_the_size(raw, remote):
    path = f"{remote}/file"
    handle = raw.open(path, NEW)
    *written, closed, seen = answers(raw, *writes(handle, content(3_000_000)), (CLOSE, handle),
                                     (STAT, path))
    for reply in (*written, closed):
        reply.ok()
    assert seen.ok().size == 3_000_000


def test_sizes_are_live_while_a_file_is_written(raw, remote):
    path = f"{remote}/file"
    handle = raw.open(path, NEW)
    for number in range(1, 6):
        *_, by_handle, by_path = answers(
            raw, (WRITE, handle, U64((number - 1) * 30_000), content(30_000)), (FSTAT, handle),
            (STAT, path))
        assert by_handle.ok().size == by_path.ok().size == number * 30_000
    raw.close(handle)


def test_node_writes_arrive_in_any_order(raw, remote):
    """node's ssh2 and rclone send 64 at a time, some backwards."""
    path, whole = f"{remote}/file", content(6_000_000)
    handle = raw.open(path, NEW)
    requests = writes(handle, whole)
    shuffled = random.Random(1)
    order = sorted(range(len(requests)), key=lambda at: at + shuffled.uniform(0, 64))
    for reply in answers(raw, (FSETSTAT, handle, Attrs(permissions=0o600)),
                         *(requests[at] for at in order), (CLOSE, handle)):
        reply.ok()
    assert raw.get(path) == whole and raw.stat(path).permissions == 0o100600


def test_writes_backwards_from_the_end(raw, remote):
    path, whole = f"{remote}/file", content(4_000_000)
    handle = raw.open(path, NEW)
    for reply in answers(raw, *reversed(writes(handle, whole)), (CLOSE, handle)):
        reply.ok()
    assert raw.get(path) == whole


def test_psftp_six_hundred_small_writes_outstanding(raw, remote):
    path, whole = f"{remote}/file", content(4096 * 637)
    handle = raw.open(path, NEW)
    for reply in answers(raw, *writes(handle, whole, 4096), (CLOSE, handle)):
        reply.ok()
    assert raw.get(path) == whole


def test_paramiko_reads_all_of_the_file_at_once(raw, remote):
    path, whole = f"{remote}/file", content(12_000_000)
    raw.put(path, whole)
    handle = raw.open(path, F_READ)
    replies = answers(raw, *((READ, handle, U64(offset), 32_768)
                             for offset in range(0, len(whole), 32_768)))
    assert b"".join(reply.ok() for reply in replies) == whole
    raw.close(handle)


def test_rclone_closes_with_reads_pending(raw, remote):
    path, whole = f"{remote}/file", content(2_000_000)
    raw.put(path, whole)
    handle = raw.open(path, F_READ)
    *read, closed = answers(raw, *((READ, handle, U64(offset), 32_768)
                                   for offset in range(0, len(whole), 32_768)), (CLOSE, handle))
    closed.ok()
    assert b"".join(reply.ok() for reply in read) == whole


def test_rclone_sends_its_whole_buffer_behind_the_last_write(raw, remote):
    """Debian 12's rclone 1.60: the length is right, the packet is longer."""
    handle = raw.open(f"{remote}/file", NEW)
    body = struct.pack(">BI", WRITE, 7_000_000) + struct.pack(">I", len(handle)) + handle
    body += struct.pack(">QI", 0, 5) + b"right" + b"left over" * 100
    raw.channel.sendall(struct.pack(">I", len(body)) + body)
    raw.reply(7_000_000).ok()
    raw.close(handle)
    assert raw.get(f"{remote}/file") == b"right"


def test_openssh_reads_past_the_end(raw, remote):
    raw.put(f"{remote}/file", content(100_000))
    handle = raw.open(f"{remote}/file", F_READ)
    inside, across, at_end, far = answers(
        raw, (READ, handle, U64(0), 50_000), (READ, handle, U64(90_000), 32_768),
        (READ, handle, U64(100_000), 32_768), (READ, handle, U64(1 << 40), 32_768))
    assert inside.ok() == content(100_000)[:50_000] and across.ok() == content(100_000)[90_000:]
    assert at_end.code == EOF and far.code == EOF


def test_reading_what_was_just_written_on_the_same_handle(raw, remote):
    handle = raw.open(f"{remote}/file", F_READ | F_WRITE | F_CREAT)
    whole = content(400_000)
    *_, read, middle = answers(raw, *writes(handle, whole), (READ, handle, U64(0), 32_768),
                               (READ, handle, U64(200_000), 32_768))
    assert read.ok() == whole[:32_768] and middle.ok() == whole[200_000:232_768]
    changed, read = answers(raw, (WRITE, handle, U64(200_100), b"changed"),
                            (READ, handle, U64(200_000), 300))
    changed.ok()
    assert read.ok() == whole[200_000:200_100] + b"changed" + whole[200_107:200_300]
    raw.close(handle)


def test_truncation_between_writes_keeps_its_place(raw, remote):
    path = f"{remote}/file"
    handle = raw.open(path, NEW)
    for reply in answers(raw, (WRITE, handle, U64(0), b"0123456789"),
                         (FSETSTAT, handle, Attrs(size=4)), (WRITE, handle, U64(6), b"XY"),
                         (FSETSTAT, handle, Attrs(size=10)), (CLOSE, handle)):
        reply.ok()
    assert raw.get(path) == b"0123\0\0XY\0\0"


def test_restic_renames_behind_the_close(raw, remote):
    temporary, final = f"{remote}/x-restic-temp-1", f"{remote}/x"
    handle = raw.open(temporary, F_WRITE | F_CREAT | F_EXCL)
    *_, closed, renamed, seen, gone = answers(
        raw, *writes(handle, content(900_000)), (CLOSE, handle),
        (EXTENDED, "posix-rename@openssh.com", temporary, final), (STAT, final), (STAT, temporary))
    closed.ok()
    renamed.ok()
    assert seen.ok().size == 900_000 and gone.code == NO_SUCH_FILE
    assert raw.get(final) == content(900_000)


def test_nothing_overtakes_a_posix_rename(raw, remote):
    raw.put(f"{remote}/target", b"old")
    handle = raw.open(f"{remote}/source", NEW)
    *_, renamed, seen, gone, again, opened = answers(
        raw, *writes(handle, content(9_000_000)),
        (EXTENDED, "posix-rename@openssh.com", f"{remote}/source", f"{remote}/target"),
        (STAT, f"{remote}/target"), (LSTAT, f"{remote}/source"),
        (RENAME, f"{remote}/target", f"{remote}/moved"), (OPEN, f"{remote}/moved", F_READ, Attrs()))
    renamed.ok()
    assert seen.ok().size == 9_000_000 and gone.code == NO_SUCH_FILE
    again.ok()
    raw.close(opened.ok())
    raw.close(handle)
    assert raw.get(f"{remote}/moved") == content(9_000_000)


def test_winscp_filepart_replaces_the_old_file(raw, remote):
    old, part = f"{remote}/film.mov", f"{remote}/film.mov.filepart"
    raw.put(old, b"old content")
    assert raw.status_of(STAT, part) == NO_SUCH_FILE and raw.status_of(STAT, old) == OK
    handle = raw.open(part, NEW)
    for reply in answers(raw, *writes(handle, content(500_000)), (CLOSE, handle), (REMOVE, old),
                         (RENAME, part, old),
                         (SETSTAT, old, Attrs(permissions=0o644, atime=TIMES.atime,
                                              mtime=TIMES.mtime))):
        reply.ok()
    assert raw.get(old) == content(500_000) and not raw.exists(part)
    assert raw.stat(old).mtime == TIMES.mtime and raw.stat(old).permissions == 0o100644


def test_winscp_resumes_its_filepart(raw, remote):
    part, whole = f"{remote}/film.mov.filepart", content(500_000)
    raw.put(part, whole[:200_000])
    at = raw.stat(part).size
    handle = raw.open(part, F_WRITE)
    for reply in answers(raw, *((WRITE, handle, U64(offset), whole[offset:offset + 32_768])
                                for offset in range(at, len(whole), 32_768)), (CLOSE, handle),
                         (RENAME, part, f"{remote}/film.mov")):
        reply.ok()
    assert raw.get(f"{remote}/film.mov") == whole


def test_winscp_asks_before_it_overwrites(raw, remote):
    raw.put(f"{remote}/file", b"old")
    refused, seen = answers(raw, (OPEN, f"{remote}/file", F_WRITE | F_CREAT | F_EXCL, Attrs()),
                            (LSTAT, f"{remote}/file"))
    assert refused.type == STATUS and refused.code != OK and seen.ok().size == 3
    assert raw.get(f"{remote}/file") == b"old"


def test_cyberduck_truncates_what_exists_and_resumes_without_append(raw, remote):
    path, whole = f"{remote}/file", content(300_000)
    raw.put(path, b"old content")
    raw.put(path, whole[:100_000], flags=F_WRITE | F_TRUNC)
    handle = raw.open(path, F_WRITE)
    for reply in answers(raw, *((WRITE, handle, U64(offset), whole[offset:offset + 32_768])
                                for offset in range(100_000, len(whole), 32_768)),
                         (CLOSE, handle)):
        reply.ok()
    assert raw.get(path) == whole


def test_restic_makes_folders_below_a_missing_one(raw, remote):
    below = [(MKDIR, f"{remote}/none/data/{name:02x}", Attrs()) for name in range(5)]
    assert [reply.code for reply in answers(raw, *below)] == [NO_SUCH_FILE] * 5
    for reply in answers(raw, (MKDIR, f"{remote}/none", Attrs()),
                         (MKDIR, f"{remote}/none/data", Attrs()), *below):
        reply.ok()
    assert len(raw.list(f"{remote}/none/data")) == 5


@pytest.mark.parametrize("count", [0, 3, 500])
def test_sshfs_sends_several_readdirs_at_once(raw, remote, count):
    for number in range(count):
        raw.mkdir(f"{remote}/{number}")
    handle, names = raw.ask(OPENDIR, remote).ok(), []
    while True:
        replies = answers(raw, *[(READDIR, handle)] * 4)
        for reply in replies:
            if reply.type != STATUS:
                names += [entry.name for entry in reply.ok()]
        if any(reply.type == STATUS and reply.code == EOF for reply in replies):
            break
    assert raw.status_of(READDIR, handle) == EOF
    raw.close(handle)
    assert sorted(names) == sorted([b".", b".."] + [b"%d" % number for number in range(count)])


def test_two_handles_on_one_file_see_each_other(raw, remote):
    path = f"{remote}/file"
    raw.put(path, content(100_000))
    writer, reader = raw.open(path, F_WRITE), raw.open(path, F_READ)
    written, read = answers(raw, (WRITE, writer, U64(50_000), b"changed"),
                            (READ, reader, U64(49_990), 27))
    written.ok()
    assert read.ok() == content(100_000)[49_990:50_000] + b"changed" + content(100_000)[50_007:50_017]
    raw.close(writer)
    raw.close(reader)


def test_two_channels_of_one_connection_see_each_other(server, raw, remote, _shared_connection):
    other = server.raw_sftp(_shared_connection())
    handle = raw.open(f"{remote}/file", NEW)
    assert other.stat(f"{remote}/file").size == 0
    raw.write(handle, 0, content(200_000)[:30_000])
    assert other.stat(f"{remote}/file").size == 30_000
    raw.close(handle)
    other.put(f"{remote}/file", b"by the other")
    assert raw.get(f"{remote}/file") == b"by the other"
    other.remove(f"{remote}/file")
    assert not raw.exists(f"{remote}/file")
    other.hang_up()
