"""Somebody, or a failing disk, changes what is stored: clients get an error, never other bytes."""

import pytest

from support import processes
from support.content import content, write_file
from support.openssh_client import sftp
from support.raw_sftp import F_READ, F_WRITE
from support.sessions import connected

pytestmark = pytest.mark.shoebox


def stored_in_folder(server, original):
    """The file of the local store that holds exactly these bytes."""
    files = [path for path in (server.folder_of_data / "objects").rglob("*") if path.is_file()]
    found, = [path for path in files if path.stat().st_size == len(original)
              and path.read_bytes() == original]
    return found


def overwrite(server, original, other, tmp_path):
    """Puts `other` where `original` is stored."""
    assert len(other) == len(original)
    if server.kind != "minio":
        with open(stored_in_folder(server, original), "r+b") as file:
            file.write(other)
        return
    key = server.query(f"SELECT key FROM objects WHERE state = 'live' AND size = {len(original)}")
    body = write_file(tmp_path / "other", other)
    processes.run(["curl", "-sSf", "--aws-sigv4", "aws:amz:us-east-1:s3", "-u",
                   "minioadmin:minioadmin", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD",
                   "-T", body, f"{server.minio.url}/shoebox/{key[0][0]}"])


def alarms(server):
    return [line for line in server.logs()["shoebox"].splitlines()
            if "stored content is damaged" in line and "error" in line]


@pytest.mark.parametrize("size", [300_000, 3_300_000, 40_000_000])
def test_damaged_content_is_an_error_and_an_alarm(own_server, tmp_path, size):
    original = content(size)
    source = write_file(tmp_path / "photo.jpg", original)
    sftp(own_server, [f"put {source} photo.jpg", f"get photo.jpg {tmp_path}/good"])
    assert (tmp_path / "good").read_bytes() == original and not alarms(own_server)
    own_server.stop_program()
    own_server.restart()
    other = bytearray(original)
    other[size // 2] ^= 4
    overwrite(own_server, original, bytes(other), tmp_path)
    for _ in range(2):
        sftp(own_server, [f"get photo.jpg {tmp_path}/bad"], expect="failure")
    assert len(alarms(own_server)) >= 2
    overwrite(own_server, bytes(other), original, tmp_path)
    sftp(own_server, [f"get photo.jpg {tmp_path}/back"])
    assert (tmp_path / "back").read_bytes() == original


def test_small_files_do_not_notice(own_server, tmp_path):
    transport, raw = connected(own_server)
    raw.put("/large", content(300_000))
    raw.put("/small", content(20_000, 7))
    own_server.stop_program()
    own_server.restart()
    overwrite(own_server, content(300_000), content(300_000, 9), tmp_path)
    transport, raw = connected(own_server)
    assert raw.get("/small") == content(20_000, 7)
    sftp(own_server, [f"get large {tmp_path}/bad"], expect="failure")
    transport.close()


@pytest.mark.minio
@pytest.mark.settings(inline_max=0)
def test_joining_pieces_does_not_hide_damage(own_server, tmp_path):
    transport, raw = connected(own_server)
    original = content(300_000)
    raw.put("/notes", original)
    handle = raw.open("/notes", F_READ | F_WRITE)
    raw.write(handle, 1_000, b"edited")
    raw.close(handle)
    other = bytearray(original)
    other[200_000] ^= 4
    overwrite(own_server, original, bytes(other), tmp_path)
    # A URL needs one object.
    own_server.command("presign", own_server.user, "/notes", expect=1)
    assert own_server.query("SELECT count(*) FROM objects WHERE damaged_at IS NOT NULL") == [["1"]]
    overwrite(own_server, bytes(other), original, tmp_path)
    own_server.command("presign", own_server.user, "/notes")
    assert raw.get("/notes") == original[:1_000] + b"edited" + original[1_006:]
    transport.close()
