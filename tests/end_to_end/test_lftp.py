"""lftp: it announces SFTP version 6, and types the password at ssh's prompt."""

import pytest

from support import processes
from support.content import content, photo_folder, times_of, tree_of, write_file
from support.transfers import lftp_command, lftp_environment


@pytest.fixture
def lftp(server):
    def run(*commands, expect=0):
        return processes.run(lftp_command(server, *commands), env=lftp_environment(server),
                             expect=expect, seconds=180)
    return run


def test_mirror_up_and_down(lftp, remote, tmp_path):
    photos = photo_folder(tmp_path / "photos")
    lftp(f"mirror -R --parallel=3 {photos} {remote}/photos")
    lftp(f"mirror --parallel=3 {remote}/photos {tmp_path}/back")
    assert tree_of(tmp_path / "back") == tree_of(photos)
    assert times_of(tmp_path / "back") == times_of(photos)


def test_mirror_again_transfers_nothing(lftp, remote, tmp_path):
    photos = photo_folder(tmp_path / "photos", 8)
    lftp(f"mirror -R {photos} {remote}/photos")
    again = lftp(f"mirror -R -v {photos} {remote}/photos").output
    assert "Transferring file" not in again, again


def test_put_c_continues(lftp, remote, tmp_path, raw):
    whole = content(2_000_000)
    source = write_file(tmp_path / "film.mov", whole)
    raw.put(f"{remote}/film.mov", whole[:1_234_567])
    lftp(f"put -c {source} -o {remote}/film.mov")
    assert raw.get(f"{remote}/film.mov") == whole


def test_get_c_continues(lftp, remote, tmp_path, raw):
    whole = content(2_000_000)
    raw.put(f"{remote}/film.mov", whole)
    partial = write_file(tmp_path / "film.mov", whole[:999_999])
    lftp(f"get -c {remote}/film.mov -o {partial}")
    assert partial.read_bytes() == whole


def test_pget_reads_segments_over_several_connections(lftp, remote, tmp_path, raw):
    raw.put(f"{remote}/film.mov", content(12_000_000))
    lftp("set pget:min-chunk-size 100k", f"pget -n 4 {remote}/film.mov -o {tmp_path}/back")
    assert (tmp_path / "back").read_bytes() == content(12_000_000)


def test_mv_rm_and_listing(lftp, remote, raw):
    raw.put(f"{remote}/a", b"content")
    raw.mkdir(f"{remote}/gone")
    raw.put(f"{remote}/gone/file", b"1")
    listed = lftp(f"cd {remote}", "mv a b", "rm -r gone", "mkdir -p x/y/z", "cls -1", "ls").stdout
    assert "b\n" in listed and "x/\n" in listed
    assert set(raw.list(remote)) == {b"b", b"x"} and raw.exists(f"{remote}/x/y/z")
