"""psftp and pscp of PuTTY, whose code is in FileZilla and WinSCP too: 4 KiB WRITEs, hundreds outstanding."""

import pytest

from support import processes
from support.content import content, photo_folder, times_of, tree_of, write_file


@pytest.fixture
def putty(server, tmp_path):
    keys = processes.run(["ssh-keyscan", "-p", str(server.port), "-t", "ed25519,ecdsa,rsa",
                          server.host]).stdout
    fingerprints = [line.split()[1] for line in processes.run(
        ["ssh-keygen", "-lf", write_file(tmp_path / "host-keys", keys)]).stdout.splitlines()]
    hosts = [option for each in fingerprints for option in ("-hostkey", each)]
    login = ["-batch", "-P", str(server.port), "-pw", server.password, *hosts]

    def run(program, *arguments, stdin=None, expect=0):
        return processes.run([program, *login, *arguments], stdin=stdin, expect=expect,
                             env=server.environment())
    return run


@pytest.fixture
def psftp(putty, server, tmp_path):
    def run(*commands, expect=0):
        script = write_file(tmp_path / "script", "\n".join(commands) + "\n")
        return putty("psftp", "-b", script, server.spec().rstrip(":"), expect=expect)
    return run


def test_put_and_get(psftp, remote, tmp_path):
    source = write_file(tmp_path / "source", content(5_000_000))
    psftp(f"put {source} {remote}/file", f"get {remote}/file {tmp_path}/back")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_trees(psftp, remote, tmp_path):
    photos = photo_folder(tmp_path / "photos", 12)
    psftp(f"put -r {photos} {remote}/photos", f"get -r {remote}/photos {tmp_path}/back")
    assert tree_of(tmp_path / "back") == tree_of(photos)


def test_reput_and_reget_continue(psftp, remote, tmp_path, raw):
    whole = content(1_200_000)
    source = write_file(tmp_path / "film.mov", whole)
    raw.put(f"{remote}/film.mov", whole[:700_001])
    psftp(f"reput {source} {remote}/film.mov")
    assert raw.get(f"{remote}/film.mov") == whole
    partial = write_file(tmp_path / "partial", whole[:700_001])
    psftp(f"reget {remote}/film.mov {partial}")
    assert partial.read_bytes() == whole


def test_other_commands(psftp, remote, raw):
    raw.put(f"{remote}/a", b"content")
    raw.put(f"{remote}/b", b"other")
    raw.mkdir(f"{remote}/folder")
    printed = psftp(f"cd {remote}", "pwd", "dir", "mkdir new", "chmod 600 a", "mv a folder",
                    "mv b c", "rmdir new", "ls").stdout
    assert f"{remote}" in printed
    assert raw.stat(f"{remote}/folder/a").permissions == 0o100600
    assert set(raw.list(remote)) == {b"c", b"folder"}


def test_pscp_preserves_times(putty, server, remote, tmp_path):
    photos = photo_folder(tmp_path / "photos", 6)
    putty("pscp", "-sftp", "-p", "-r", photos, server.spec(remote))
    putty("pscp", "-sftp", "-p", "-r", server.spec(f"{remote}/photos"), tmp_path / "back")
    assert tree_of(tmp_path / "back") == tree_of(photos)
    assert times_of(tmp_path / "back") == times_of(photos)
