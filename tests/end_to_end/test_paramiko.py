"""paramiko: most of the Python world, from Ansible to Airflow and Django's storages."""

import io
import stat

import paramiko
import pytest

from support.content import content, write_file


@pytest.fixture
def client(server, _shared_connection):
    with paramiko.SFTPClient.from_transport(_shared_connection()) as sftp:
        yield sftp


def test_put_confirms_the_size_and_get_prefetches(client, remote, tmp_path):
    source = write_file(tmp_path / "source", content(7_000_000))
    assert client.put(str(source), f"{remote}/file").st_size == 7_000_000
    client.get(f"{remote}/file", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_putfo_over_a_longer_file(client, remote):
    client.putfo(io.BytesIO(content(100_000)), f"{remote}/file")
    assert client.putfo(io.BytesIO(b"short"), f"{remote}/file").st_size == 5
    read = io.BytesIO()
    assert client.getfo(f"{remote}/file", read) == 5 and read.getvalue() == b"short"


def test_append_and_read_write(client, remote):
    with client.open(f"{remote}/log", "w") as file:
        file.write("one\n")
    with client.open(f"{remote}/log", "a") as file:
        file.write("two\n")
    with client.open(f"{remote}/log", "r+") as file:
        assert file.readline() == "one\n"
        file.seek(0)
        file.write("ONE")
        file.seek(0, io.SEEK_END)
        assert file.tell() == 8
    with client.open(f"{remote}/log") as file:
        assert file.read() == b"ONE\ntwo\n"
    with pytest.raises(OSError):
        client.open(f"{remote}/log", "x")


def test_pipelined_writes_and_truncate(client, remote):
    with client.open(f"{remote}/file", "wb") as file:
        file.set_pipelined(True)
        for number in range(200):
            file.write(content(32_768, number))
        file.set_pipelined(False)
        file.truncate(1_000_000)
        file.utime((1_500_000_000, 1_500_000_000))
    assert client.stat(f"{remote}/file").st_size == 1_000_000
    assert client.stat(f"{remote}/file").st_mtime == 1_500_000_000


def test_readv_of_scattered_ranges(client, remote):
    whole = content(3_000_000)
    client.putfo(io.BytesIO(whole), f"{remote}/film.mov")
    ranges = [(0, 65_536), (2_900_000, 100_000), (1_000_000, 10), (1_500_000, 40_000)]
    with client.open(f"{remote}/film.mov") as file:
        for (offset, length), piece in zip(ranges, file.readv(ranges)):
            assert piece == whole[offset:offset + length]


def test_listings(client, remote):
    for number in range(300):
        client.open(f"{remote}/{number:03}", "w").close()
    client.mkdir(f"{remote}/folder", 0o750)
    names = {f"{number:03}" for number in range(300)} | {"folder"}
    assert set(client.listdir(remote)) == names
    assert {entry.filename for entry in client.listdir_iter(remote)} == names
    attributes = {entry.filename: entry for entry in client.listdir_attr(remote)}
    assert stat.S_ISDIR(attributes["folder"].st_mode) and stat.S_ISREG(attributes["000"].st_mode)
    assert attributes["000"].longname.startswith("-rw")


def test_rename_refuses_and_posix_rename_replaces(client, remote):
    for name in "ab":
        client.putfo(io.BytesIO(name.encode()), f"{remote}/{name}")
    with pytest.raises(OSError):
        client.rename(f"{remote}/a", f"{remote}/b")
    client.posix_rename(f"{remote}/a", f"{remote}/b")
    assert client.listdir(remote) == ["b"] and client.open(f"{remote}/b").read() == b"a"


def test_chdir_normalize_and_missing_files(client, remote):
    client.mkdir(f"{remote}/below")
    client.chdir(f"{remote}/below")
    assert client.getcwd() == f"{remote}/below" and client.normalize("..") == remote
    with pytest.raises(FileNotFoundError):
        client.stat("none")
    with pytest.raises(FileNotFoundError):
        client.listdir("none")
    client.symlink("../target", "link")
    assert client.readlink("link") == "../target" and stat.S_ISLNK(client.lstat("link").st_mode)
    client.remove("link")
    client.rmdir(f"{remote}/below")
