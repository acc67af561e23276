"""The same promises under other settings."""

import pytest

from support import processes
from support.content import content
from support.raw_sftp import F_APPEND, F_CREAT, F_TRUNC, F_WRITE, Attrs
from support.sessions import assert_clean, connected

pytestmark = pytest.mark.shoebox

NEW = F_WRITE | F_CREAT | F_TRUNC


@pytest.mark.settings(inline_max="0", part_size="5MiB")
def test_small_parts_and_nothing_inline(own_server, tmp_path):
    """The same promises with other settings: everything goes through the store."""
    transport, raw = connected(own_server)
    for size in (0, 1, 5 << 20, (5 << 20) + 1, 23_456_789):
        raw.put(f"/{size}", content(size), piece=200_000)
        assert raw.get(f"/{size}") == content(size)
    raw.put("/log", content(6_000_000, 1), piece=200_000)
    for number in range(5):
        raw.put("/log", b"%d\n" % number, flags=F_WRITE | F_APPEND)
    assert raw.get("/log") == content(6_000_000, 1) + b"0\n1\n2\n3\n4\n"
    transport.close()
    assert_clean(own_server)


@pytest.mark.settings(umask="077")
def test_umask(own_server):
    transport, raw = connected(own_server)
    raw.close(raw.open("/file", NEW, Attrs(permissions=0o640)))
    raw.mkdir("/folder", Attrs(permissions=0o777))
    assert raw.stat("/file").permissions & 0o777 == 0o600
    assert raw.stat("/folder").permissions & 0o777 == 0o700
    transport.close()


@pytest.mark.settings(interrupted_uploads="discard")
def test_interrupted_uploads_can_be_discarded(own_server):
    transport, raw = connected(own_server)
    raw.put("/file", b"old content")
    another, client = connected(own_server)
    handle = client.open("/file", NEW)
    client.write(handle, 0, content(200_000))
    another.close()
    processes.wait_until(lambda: raw.stat("/file").size == 11, "the old content is back")
    assert raw.get("/file") == b"old content"
    transport.close()
