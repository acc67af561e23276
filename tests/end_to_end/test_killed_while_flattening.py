"""kill -9 in the middle of joining the pieces of files: nobody sees it, and nothing of it stays behind."""

import random

import pytest

from support import processes
from support.content import content
from support.leftovers import assert_nothing_left
from support.raw_sftp import F_APPEND, F_READ, F_WRITE
from support.sessions import connected
from support.servers.faulty_minio import FaultyMinioServer

pytestmark = pytest.mark.minio

MIB = 1 << 20
FILES = 2


@pytest.fixture
def busy_store():
    """Every request to the store takes a while, so that joining does, too."""
    server = FaultyMinioServer(1, 0, {"part_size": "5MiB", "inline_max": 0,
                                      "flatten_after_quiet": "1s", "version_keep": "1s"})
    server.faults.delay = 0.3
    try:
        yield server.start()
    finally:
        server.discard()


def scatter(raw, path, choose):
    """A file of many pieces, some large and some small; returns its content."""
    whole = bytearray(content(12 * MIB, choose.random()))
    raw.put(path, bytes(whole), piece=200_000)
    for _ in range(6):
        handle = raw.open(path, F_READ | F_WRITE)
        piece, at = content(choose.randrange(1, 100_000), choose.random()), choose.randrange(len(whole))
        raw.write(handle, at, piece)
        raw.close(handle)
        whole[at:at + len(piece)] = piece
    more = content(6 * MIB, choose.random())
    raw.put(path, more, flags=F_WRITE | F_APPEND, piece=200_000)  # Wherever it says, to the end.
    return bytes(whole + more)


def scattered(server):
    return int(server.query("SELECT count(*) FROM versions"
                            " WHERE flatten_at IS NOT NULL AND replaced_at IS NULL")[0][0])


def requests_to_join(server):
    return sum(server.faults.requests[operation] for operation in (
        "CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"))


def check(raw, expected):
    for path, whole in expected.items():
        assert raw.get(path, piece=200_000) == whole, path


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_again_and_again_while_files_are_joined(busy_store, kills):
    server, choose = busy_store, random.Random(kills)
    server.faults.delay = 0
    transport, raw = connected(server)
    expected = {f"/file{number}": scatter(raw, f"/file{number}", choose) for number in range(FILES)}
    assert scattered(server) == FILES
    server.faults.delay = 0.3
    for _ in range(kills):
        enough = requests_to_join(server) + choose.randrange(1, 12)
        processes.wait_until(lambda: requests_to_join(server) >= enough or not scattered(server),
                             "the store is joining pieces", 90)
        server.kill()
        transport.close()
        # Else it would wait for ten minutes before it tries again.
        server.query("UPDATE versions SET flatten_at = now() - interval '1 minute'"
                     " WHERE flatten_at IS NOT NULL")
        server.restart()
        transport, raw = connected(server)
        check(raw, expected)
        if not scattered(server):
            path = choose.choice(list(expected))
            expected[path] = scatter(raw, path, choose)
    server.faults.delay = 0
    processes.wait_until(lambda: scattered(server) == 0, "all files are one object each", 90)
    check(raw, expected)
    transport.close()
    assert_nothing_left(server)
    # MinIO has no unfinished upload at all: none was begun twice here.
    assert server.minio.uploads() == []
