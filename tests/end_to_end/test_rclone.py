"""rclone: backups that are repeated, and must find nothing to do the second time."""

import json

import pytest

from support import processes
from support.content import content, photo_folder, times_of, tree_of, write_file
from support.transfers import rclone_environment


@pytest.fixture
def rclone(server):
    obscured = processes.run(["rclone", "obscure", "-"], stdin=server.password).stdout.strip()
    environment = rclone_environment(server, obscured)

    def run(*arguments, expect=0):
        return processes.run(["rclone", *arguments], env=environment, expect=expect)
    return run


def test_copy_and_check(rclone, remote, tmp_path):
    photos = photo_folder(tmp_path / "photos")
    rclone("copy", photos, f"box:{remote}/photos", "--create-empty-src-dirs")
    rclone("check", photos, f"box:{remote}/photos")
    rclone("check", "--download", photos, f"box:{remote}/photos")
    rclone("copy", f"box:{remote}/photos", tmp_path / "back", "--create-empty-src-dirs")
    assert tree_of(tmp_path / "back") == tree_of(photos)
    assert times_of(tmp_path / "back") == times_of(photos)


def test_sync_twice_transfers_nothing_and_deletes_what_is_gone(rclone, remote, tmp_path):
    photos = photo_folder(tmp_path / "photos")
    rclone("sync", photos, f"box:{remote}/photos")
    again = rclone("sync", "-v", "--use-json-log", "--stats-log-level", "NOTICE", "--stats", "1h",
                   photos, f"box:{remote}/photos")
    last = [json.loads(line) for line in again.stderr.splitlines() if '"stats"' in line][-1]
    assert last["stats"]["transfers"] == 0 and last["stats"]["deletes"] == 0
    (photos / "2024/05/IMG_0000.JPG").unlink()
    write_file(photos / "2024/06/IMG_0001.JPG", content(9999))
    rclone("sync", photos, f"box:{remote}/photos")
    rclone("copy", f"box:{remote}/photos", tmp_path / "back")
    back = {name: what for name, what in tree_of(tmp_path / "back").items() if what != "directory"}
    assert back == {name: what for name, what in tree_of(photos).items() if what != "directory"}


def test_many_transfers_and_checkers(rclone, remote, tmp_path):
    for number in range(100):
        write_file(tmp_path / f"many/{number % 7}/{number}", content(3000 + number, number))
    rclone("copy", "--transfers", "16", "--checkers", "16", tmp_path / "many", f"box:{remote}/many")
    rclone("check", "--download", "--checkers", "16", tmp_path / "many", f"box:{remote}/many")


def test_large_file_with_concurrent_writes(rclone, remote, tmp_path):
    source = write_file(tmp_path / "film.mov", content(60_000_000))
    rclone("copyto", source, f"box:{remote}/film.mov")
    rclone("copyto", f"box:{remote}/film.mov", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_moveto_renames_and_makes_folders(rclone, remote, tmp_path, raw):
    raw.put(f"{remote}/a", b"content")
    rclone("moveto", f"box:{remote}/a", f"box:{remote}/new/folder/b")
    assert raw.get(f"{remote}/new/folder/b") == b"content" and not raw.exists(f"{remote}/a")


def test_about_lsjson_cat_and_rcat(rclone, remote, raw):
    free = json.loads(rclone("about", "--json", f"box:{remote}").stdout)
    assert free["total"] > 0 and free["free"] > 0
    raw.put(f"{remote}/file", b"0123456789")
    listed = json.loads(rclone("lsjson", f"box:{remote}").stdout)
    assert [(entry["Name"], entry["Size"]) for entry in listed] == [("file", 10)]
    assert rclone("cat", "--offset", "3", "--count", "4", f"box:{remote}/file").stdout == "3456"


def test_delete_and_purge(rclone, remote, raw):
    for name in ("a", "b"):
        raw.mkdir(f"{remote}/{name}")
        raw.put(f"{remote}/{name}/file", b"1")
    rclone("delete", f"box:{remote}/a")
    assert raw.list(f"{remote}/a") == {}
    rclone("purge", f"box:{remote}/b")
    assert not raw.exists(f"{remote}/b")
