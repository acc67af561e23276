"""OpenSSH's scp over SFTP."""

import concurrent.futures
import os
import stat

from support.content import content, digest, photo_folder, times_of, tree_of, write_file
from support.openssh_client import scp


def test_up_and_down(server, remote, tmp_path):
    source = write_file(tmp_path / "source", content(3_333_333))
    scp(server, source, server.spec(f"{remote}/file"))
    scp(server, server.spec(f"{remote}/file"), tmp_path / "back")
    assert digest(tmp_path / "back") == digest(source)


def test_downloads_beside_each_other_are_whole(server, remote, tmp_path):
    """scp cuts a file where replies to its READs overtook each other, and reports success."""
    def rounds(worker):
        for number in range(5):
            source = write_file(tmp_path / f"source{worker}", content(3_333_333, f"{worker}{number}"))
            scp(server, source, server.spec(f"{remote}/{worker}"))
            scp(server, server.spec(f"{remote}/{worker}"), tmp_path / f"back{worker}")
            assert digest(tmp_path / f"back{worker}") == digest(source)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for outcome in [pool.submit(rounds, worker) for worker in range(3)]:
            outcome.result()


def test_tree_both_ways(server, remote, tmp_path):
    photos = photo_folder(tmp_path / "photos")
    scp(server, "-r", photos, server.spec(remote))
    scp(server, "-r", server.spec(f"{remote}/photos"), tmp_path / "back")
    assert tree_of(tmp_path / "back") == tree_of(photos)


def test_preserve_keeps_times_and_modes(server, remote, tmp_path, raw):
    photos = photo_folder(tmp_path / "photos", 6)
    os.chmod(photos / "2024/05/IMG_0000.JPG", 0o600)
    scp(server, "-r", "-p", photos, server.spec(remote))
    assert raw.stat(f"{remote}/photos/2024/05/IMG_0000.JPG").permissions == 0o100600
    scp(server, "-rp", server.spec(f"{remote}/photos"), tmp_path / "back")
    assert times_of(tmp_path / "back") == times_of(photos)
    assert stat.S_IMODE((tmp_path / "back/2024/05/IMG_0000.JPG").stat().st_mode) == 0o600


def test_overwriting_a_longer_file_leaves_exactly_the_new_bytes(server, remote, tmp_path, raw):
    raw.put(f"{remote}/file", content(900_000, "long"))
    for length in (500_000, 0):
        source = write_file(tmp_path / "short", content(length, "short"))
        scp(server, source, server.spec(f"{remote}/file"))
        assert raw.stat(f"{remote}/file").size == length
        assert raw.get(f"{remote}/file") == source.read_bytes()


def test_several_sources_and_patterns(server, remote, tmp_path):
    names = [write_file(tmp_path / f"{name}.txt", name) for name in "abc"]
    scp(server, *names, server.spec(remote + "/"))
    (tmp_path / "back").mkdir()
    scp(server, server.spec(f"{remote}/*.txt"), tmp_path / "back")
    assert sorted(path.name for path in (tmp_path / "back").iterdir()) == ["a.txt", "b.txt", "c.txt"]


def test_paths_relative_to_home(server, remote, tmp_path):
    source = write_file(tmp_path / "source", b"content")
    relative = remote.rsplit("/", 1)[1]
    scp(server, source, server.spec(f"{relative}/one"))
    scp(server, source, server.spec(f"~/{relative}/two"))
    scp(server, server.spec(f"~/{relative}/one"), tmp_path / "one")
    scp(server, server.spec(f"{relative}/two"), tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == b"content"


def test_bandwidth_limit(server, remote, tmp_path, raw):
    source = write_file(tmp_path / "source", content(500_000))
    scp(server, "-l", "16000", source, server.spec(f"{remote}/file"))
    assert raw.get(f"{remote}/file") == source.read_bytes()


def test_missing_file_is_an_error(server, remote, tmp_path):
    failed = scp(server, server.spec(f"{remote}/none"), tmp_path / "none", expect="failure")
    assert "No such file" in failed.stderr
