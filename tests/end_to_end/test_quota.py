"""docs/semantics.md: a full quota is a failure that says so, and costs nobody their old content."""

import secrets

import pytest

from support.content import content, write_file
from support.openssh_client import sftp
from support.raw_sftp import F_APPEND, F_CREAT, F_WRITE, FAILURE, StatusError

pytestmark = pytest.mark.shoebox

QUOTA = 3_000_000


@pytest.fixture
def limited(server):
    """A raw client of a user with a quota."""
    name, password = "user" + secrets.token_hex(4), secrets.token_hex(8)
    server.add_user(name, password, quota=QUOTA)
    transport = server.transport(name, password)
    client = server.raw_sftp(transport)
    client.login = (name, password)
    yield client
    transport.close()


@pytest.mark.parametrize("size", [QUOTA + 1, 40_000_000])
def test_too_much_is_refused_with_a_reason(limited, size):
    with pytest.raises(StatusError) as refused:
        limited.put("/big", content(size))
    assert refused.value.code == FAILURE and "quota" in refused.value.message.lower()
    limited.put("/small", b"fits")
    assert limited.get("/small") == b"fits"


def test_the_old_content_stays(limited):
    limited.put("/file", content(1_000_000))
    with pytest.raises(StatusError):
        limited.put("/file", content(QUOTA + 1_000_000))
    assert limited.get("/file") == content(1_000_000)


def test_deleting_and_truncating_gives_space_back(limited):
    limited.put("/a", content(2_000_000, "a"))
    with pytest.raises(StatusError):
        limited.put("/b", content(2_000_000, "b"))
    limited.remove("/a")
    limited.put("/b", content(2_000_000, "b"))
    limited.put("/b", b"short")
    limited.put("/c", content(2_500_000, "c"))
    assert limited.get("/c") == content(2_500_000, "c")


def test_appending_in_pieces_stops_at_the_quota(limited):
    limited.put("/log", content(QUOTA - 100_000))
    with pytest.raises(StatusError):
        limited.put("/log", content(QUOTA + 200_000)[QUOTA - 100_000:], flags=F_WRITE | F_APPEND | F_CREAT)
    assert limited.get("/log")[:QUOTA - 100_000] == content(QUOTA - 100_000)


def test_df_shows_the_quota(limited):
    limited.put("/file", content(1_000_000))
    _, fragment, blocks, free, available, *_ = limited.statvfs("/")
    assert abs(blocks * fragment - QUOTA) <= 2 * fragment
    assert abs(available * fragment - (QUOTA - 1_000_000)) <= 2 * fragment and free >= available


def test_sftp_says_what_is_wrong(server, limited, tmp_path):
    server_login = server.user, server.askpass
    server.user, server.askpass = limited.login[0], server.askpass_for(limited.login[1])
    try:
        big = write_file(tmp_path / "big", content(QUOTA + 500_000))
        assert sftp(server, [f"put {big} /big"], expect="failure").status == 1
    finally:
        server.user, server.askpass = server_login
