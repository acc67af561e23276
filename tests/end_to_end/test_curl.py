"""curl, and with it libssh2, which many desktop and mobile apps carry inside."""

import pytest

from support import processes
from support.content import content, write_file
from support.transfers import curl_command


@pytest.fixture
def curl(server):
    def run(path, *arguments, expect=0):
        return processes.run(curl_command(server, path, *arguments), env=server.environment(),
                             expect=expect)
    return run


def test_up_and_down(curl, remote, tmp_path):
    source = write_file(tmp_path / "source", content(2_222_222))
    curl(f"{remote}/file", "-T", source)
    curl(f"{remote}/file", "-o", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()


def test_upload_resumes_at_the_end(curl, remote, tmp_path, raw):
    whole = content(1_700_000)
    source = write_file(tmp_path / "source", whole)
    raw.put(f"{remote}/file", whole[:1_000_001])
    curl(f"{remote}/file", "-C", "-", "-T", source)
    assert raw.get(f"{remote}/file") == whole


def test_download_resumes(curl, remote, tmp_path, raw):
    whole = content(1_700_000)
    raw.put(f"{remote}/file", whole)
    partial = write_file(tmp_path / "partial", whole[:1_000_001])
    curl(f"{remote}/file", "-C", "-", "-o", partial)
    assert partial.read_bytes() == whole


def test_ranges(curl, remote, tmp_path, raw):
    whole = content(500_000)
    raw.put(f"{remote}/file", whole)
    for option, expected in (("1000-1999", whole[1000:2000]), ("-500", whole[-500:]),
                             ("499990-", whole[499_990:])):
        curl(f"{remote}/file", "-r", option, "-o", tmp_path / "part")
        assert (tmp_path / "part").read_bytes() == expected, option


def test_append(curl, remote, tmp_path, raw):
    raw.put(f"{remote}/file", b"first ")
    curl(f"{remote}/file", "--append", "-T", write_file(tmp_path / "more", b"second"))
    assert raw.get(f"{remote}/file") == b"first second"


def test_missing_folders_are_made(curl, remote, tmp_path, raw):
    curl(f"{remote}/a/b/file", "--ftp-create-dirs", "-T", write_file(tmp_path / "file", b"1"))
    assert raw.get(f"{remote}/a/b/file") == b"1"


def test_paths_below_home(curl, remote, raw):
    raw.put(f"{remote}/file", b"at home")
    relative = remote.rsplit("/", 1)[1]
    assert curl(f"/~/{relative}/file").stdout == "at home"


def test_listing_and_quoted_commands(curl, remote, raw):
    raw.put(f"{remote}/file", b"12345")
    listed = curl(f"{remote}/", "-Q", f"rename {remote}/file {remote}/renamed",
                  "-Q", f"mkdir {remote}/folder", "-Q", f"chmod 600 {remote}/renamed").stdout
    assert "renamed" in listed and "folder" in listed
    assert raw.stat(f"{remote}/renamed").permissions == 0o100600


def test_missing_file_and_wrong_password(curl, server, remote):
    assert curl(f"{remote}/none", expect="failure").status == 78  # CURLE_REMOTE_FILE_NOT_FOUND
    assert curl(f"{remote}/none", "-u", f"{server.user}:wrong", expect="failure").status == 67
