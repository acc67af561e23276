"""sshfs: the account as a disk, with the programs people run on disks."""

import os
import shutil
import sqlite3

import pytest

from support import mounts, processes
from support.content import content, digest, photo_folder, times_of, tree_of, write_file

pytestmark = pytest.mark.fuse

# As `cp -a` does for users; root's would give the files to root, which nobody but root may.
CP = ["cp", "-r", "--preserve=mode,timestamps,links"]


def test_cp_a_tree_in_and_out(mount, tmp_path):
    photos = photo_folder(tmp_path / "photos")
    processes.run([*CP, photos, mount / "photos"])
    processes.run([*CP, mount / "photos", tmp_path / "back"])
    assert tree_of(tmp_path / "back") == tree_of(photos)
    assert times_of(tmp_path / "back") == times_of(photos)


def test_editors_save_atomically(mount, remote, raw):
    """Write beside, fsync, rename over: vim, gedit, LibreOffice and Python's tools do this."""
    (mount / "letter.txt").write_text("first")
    for version in range(5):
        with open(mount / ".letter.txt.swp", "w", encoding="ascii") as beside:
            beside.write(f"version {version}" * (version + 1))
            beside.flush()
            os.fsync(beside.fileno())
        os.rename(mount / ".letter.txt.swp", mount / "letter.txt")
        assert (mount / "letter.txt").read_text() == f"version {version}" * (version + 1)
    assert raw.get(f"{remote}/letter.txt") == b"version 4" * 5
    assert list(raw.list(remote)) == [b"letter.txt"]


def test_appends(mount, remote, raw):
    log = mount / "log"
    expected = b""
    for number in range(20):
        with open(log, "ab") as file:
            file.write(content(1000 + number, number))
        expected += content(1000 + number, number)
    processes.run(["sh", "-c", f"echo last >> {log}"])
    assert log.read_bytes() == expected + b"last\n" == raw.get(f"{remote}/log")


def test_truncate_shorter_and_longer(mount, remote, raw):
    file, original = mount / "file", content(200_000)
    file.write_bytes(original)
    os.truncate(file, 70_001)
    assert raw.get(f"{remote}/file") == original[:70_001]
    os.truncate(file, 300_000)
    assert file.stat().st_size == 300_000
    assert raw.get(f"{remote}/file") == original[:70_001] + bytes(229_999)
    os.truncate(file, 0)
    assert raw.get(f"{remote}/file") == b""
    with open(file, "r+b") as opened:
        opened.write(b"0123456789")
        opened.truncate(4)
    assert raw.get(f"{remote}/file") == b"0123"


def test_rename_over_while_the_target_is_open(mount):
    (mount / "old").write_bytes(b"old content")
    with open(mount / "old", "rb") as old:
        (mount / "new").write_bytes(b"new content")
        os.replace(mount / "new", mount / "old")
        assert (mount / "old").read_bytes() == b"new content"
        del old


def test_unlink_while_open_goes_on_through_the_handle(mount, remote, raw):
    with open(mount / "file", "w+b") as file:
        file.write(b"before")
        file.flush()
        os.unlink(mount / "file")
        assert not (mount / "file").exists()
        file.write(b" and after")
        file.seek(0)
        assert file.read() == b"before and after"
    # sshfs removes its .fuse_hidden name behind the close.
    processes.wait_until(lambda: raw.list(remote) == {}, "nothing is left")


def test_write_into_the_middle(mount, remote, raw):
    expected = bytearray(content(1_000_000))
    (mount / "file").write_bytes(bytes(expected))
    for offset, patch in ((0, b"start"), (500_000, content(9_999)), (999_995, b"at the end")):
        processes.run(["dd", f"of={mount / 'file'}", "conv=notrunc", "oflag=seek_bytes",
                       f"seek={offset}", "bs=1M"], stdin=patch)
        expected[offset:offset + len(patch)] = patch
    assert raw.get(f"{remote}/file") == bytes(expected)
    assert (mount / "file").read_bytes() == bytes(expected)


def test_holes_read_as_zeros(mount, remote, raw):
    with open(mount / "sparse", "wb") as file:
        file.seek(3_000_000)
        file.write(b"end")
    assert raw.get(f"{remote}/sparse") == bytes(3_000_000) + b"end"


def test_touch_sets_times(mount, remote, raw):
    processes.run(["touch", "-d", "2001-02-03T04:05:06Z", mount / "old"])
    assert raw.stat(f"{remote}/old").mtime == 981_173_106
    (mount / "old").write_bytes(b"1")
    processes.run(["touch", "-m", "-d", "@1500000000", mount / "old"])
    assert int((mount / "old").stat().st_mtime) == 1_500_000_000
    # cp -p and tar set the times of what they still hold open.
    with open(mount / "held", "wb") as held:
        held.write(b"1")
        held.flush()
        os.utime(mount / "held", (1_400_000_000, 1_400_000_000))
    assert raw.stat(f"{remote}/held").mtime == 1_400_000_000


def test_fsync_is_durable_before_the_close(mount, remote, raw):
    with open(mount / "file", "wb") as file:
        file.write(content(300_000))
        file.flush()
        os.fsync(file.fileno())
        assert raw.get(f"{remote}/file") == content(300_000)


def test_git_clone_commit_and_fsck(mount, tmp_path):
    git = ["git", "-c", "user.name=Anna", "-c", "user.email=anna@example.org",
           "-c", "init.defaultBranch=main", "-c", "safe.directory=*"]
    origin = tmp_path / "origin"
    processes.run([*git, "init", "-q", origin])
    for number in range(40):
        write_file(origin / f"folder{number % 5}/file{number}", content(200 + number * 50, number))
        if number % 10 == 9:
            processes.run([*git, "add", "."], cwd=origin)
            processes.run([*git, "commit", "-q", "-m", f"commit {number}"], cwd=origin)
    clone = mount / "clone"
    processes.run([*git, "clone", "-q", origin, clone])
    write_file(clone / "folder0/file0", b"changed")
    processes.run([*git, "commit", "-q", "-a", "-m", "changed"], cwd=clone)
    processes.run([*git, "gc", "-q"], cwd=clone)
    processes.run([*git, "fsck", "--full", "--strict"], cwd=clone)
    assert processes.run([*git, "status", "--porcelain"], cwd=clone).stdout == ""
    assert len(processes.run([*git, "log", "--oneline"], cwd=clone).stdout.splitlines()) == 5


def test_sqlite_transactions(mount, tmp_path):
    database = sqlite3.connect(mount / "photos.sqlite", isolation_level=None)
    database.execute("CREATE TABLE photo (id INTEGER PRIMARY KEY, name TEXT, thumbnail BLOB)")
    for batch in range(5):
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO photo (name, thumbnail) VALUES (?, ?)",
                             [(f"IMG_{batch}_{number}", content(700, number))
                              for number in range(60)])
        database.execute("ROLLBACK" if batch == 3 else "COMMIT")
    database.execute("UPDATE photo SET name = 'renamed' WHERE id % 3 = 0")
    database.execute("DELETE FROM photo WHERE id % 5 = 0")
    database.execute("VACUUM")
    database.close()
    shutil.copy(mount / "photos.sqlite", tmp_path / "copy.sqlite")
    for path in (mount / "photos.sqlite", tmp_path / "copy.sqlite"):
        again = sqlite3.connect(path)
        assert again.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert again.execute("SELECT count(*) FROM photo").fetchone() == (192,)
        again.close()


def test_df_shows_plausible_space(mount):
    space = os.statvfs(mount)
    assert space.f_frsize > 0 and space.f_blocks > 0 and space.f_bavail > 0
    assert space.f_bavail <= space.f_blocks
    processes.run(["df", mount])


def test_exclusive_create(mount):
    descriptor = os.open(mount / "lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    os.close(descriptor)
    with pytest.raises(FileExistsError):
        os.open(mount / "lock", os.O_CREAT | os.O_EXCL | os.O_WRONLY)


def test_directories_and_links(mount, remote, raw):
    (mount / "a/b/c").mkdir(parents=True)
    (mount / "a/file").write_text("content")
    os.symlink("a/file", mount / "link")
    assert (mount / "link").read_text() == "content" and os.readlink(mount / "link") == "a/file"
    assert raw.readlink(f"{remote}/link") == b"a/file"
    with pytest.raises(OSError):
        (mount / "a").rmdir()
    os.rename(mount / "a", mount / "z")
    assert (mount / "z/file").read_text() == "content"
    shutil.rmtree(mount / "z")
    os.unlink(mount / "link")
    assert raw.list(remote) == {}


def test_modes(mount, remote, raw):
    (mount / "script").write_text("#!/bin/sh\n")
    os.chmod(mount / "script", 0o755)
    assert raw.stat(f"{remote}/script").permissions == 0o100755
    descriptor = os.open(mount / "private", os.O_CREAT | os.O_WRONLY, 0o600)
    os.close(descriptor)
    assert raw.stat(f"{remote}/private").permissions == 0o100600
    os.chown(mount / "script", raw.stat(f"{remote}/script").uid, -1)


def test_zip_and_tar_on_the_mount(mount, tmp_path):
    photos = photo_folder(tmp_path / "photos", 9)
    processes.run(["tar", "-C", photos.parent, "-cf", mount / "photos.tar", "photos"])
    processes.run(["tar", "-C", mount, "--no-same-owner", "-xf", mount / "photos.tar"])
    assert tree_of(mount / "photos") == tree_of(photos)
    assert times_of(mount / "photos") == times_of(photos)
    archive = shutil.make_archive(str(mount / "again"), "zip", photos)  # Seeks back to fix headers.
    shutil.unpack_archive(archive, tmp_path / "unzipped")
    assert tree_of(tmp_path / "unzipped") == tree_of(photos)


def test_a_mount_over_several_connections(server, remote, tmp_path):
    photos = photo_folder(tmp_path / "photos", 12)
    with mounts.sshfs(server, remote, tmp_path / "mount4", "max_conns=4") as mount:
        processes.run([*CP, photos, mount / "photos"])
        for number in range(10):
            write_file(mount / f"file{number}", content(50_000, number))
            assert digest(mount / f"file{number}") == digest(content(50_000, number))
            os.rename(mount / f"file{number}", mount / "same")
        assert digest(mount / "same") == digest(content(50_000, 9))
        assert tree_of(mount / "photos") == tree_of(photos)


def test_what_one_mount_writes_the_other_reads(server, remote, tmp_path):
    with mounts.sshfs(server, remote, tmp_path / "here") as here, \
            mounts.sshfs(server, remote, tmp_path / "there") as there:
        (here / "file").write_bytes(content(123_456))
        assert (there / "file").read_bytes() == content(123_456)
        (there / "file").unlink()
        (there / "from-there").write_text("hello")
        assert (here / "from-there").read_text() == "hello"


def test_unicode_names(mount, remote, raw):
    composed, decomposed = "Caf\u00e9.jpg", "Cafe\u0301.jpg"
    (mount / composed).write_text("composed")
    (mount / decomposed).write_text("decomposed")
    assert sorted(os.listdir(mount)) == sorted([composed, decomposed])
    assert (mount / composed).read_text() == "composed"
    assert set(raw.list(remote)) == {composed.encode(), decomposed.encode()}
