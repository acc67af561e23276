"""How many bytes go to the store and come from it: only what is new, whatever the file's size."""

import pytest

from support import processes
from support.content import content, write_file
from support.openssh_client import sftp
from support.raw_sftp import F_APPEND, F_CREAT, F_READ, F_WRITE
from support.sessions import assert_clean, connected
from support.servers.counted_minio import CountedMinioServer
from support.uploads import SlowUpload

pytestmark = pytest.mark.minio

KIB, MIB = 1 << 10, 1 << 20
SIZES = [64 * MIB, pytest.param(1024 * MIB, marks=pytest.mark.slow)]
SIZES_OF_EDITS = [64 * MIB, pytest.param(1024 * MIB, marks=pytest.mark.large)]


@pytest.fixture
def counted(request):
    """A server of the test's own that keeps nothing in the database: what is written goes to the store at once."""
    marker = request.node.get_closest_marker("settings")
    running = CountedMinioServer({"inline_max": 0, "flatten_after_quiet": "0s"} |
                                 (marker.kwargs if marker else {}))
    try:
        yield running.start()
    finally:
        running.discard()


def put_large(server, raw, tmp_path, size, target="/large"):
    """Uploads a file and returns its content; forgets what that cost."""
    whole = content(size)
    sftp(server, [f"put {write_file(tmp_path / 'large', whole)} {target}"])
    assert raw.stat(target).size == size
    server.store_traffic.reset()
    return whole


def extents(server, name):
    return int(server.query(
        "SELECT count(*) FROM extents e JOIN nodes n ON n.account_id = e.account_id"
        f" AND n.version_id = e.version_id WHERE n.name = '{name}'")[0][0])


def assert_content(server, raw, path, expected):
    assert raw.get(path, piece=200_000) == expected
    assert_clean(server)


@pytest.mark.parametrize("size", SIZES_OF_EDITS)
def test_an_edit_moves_only_the_edited_bytes(counted, tmp_path, size):
    transport, raw = connected(counted)
    whole, edit = put_large(counted, raw, tmp_path, size), content(4 * KIB, "edit")
    handle = raw.open("/large", F_READ | F_WRITE)
    assert raw.read(handle, size // 2, 4 * KIB) == whole[size // 2:size // 2 + 4 * KIB]
    raw.write(handle, size // 2, edit)
    raw.close(handle)
    assert counted.store_traffic.sent <= 64 * KIB
    assert counted.store_traffic.received <= 1 * MIB
    assert_content(counted, raw, "/large",
                   whole[:size // 2] + edit + whole[size // 2 + 4 * KIB:])
    transport.close()


@pytest.mark.parametrize("size", SIZES)
def test_an_append_moves_only_the_new_bytes(counted, tmp_path, size):
    transport, raw = connected(counted)
    whole, more = put_large(counted, raw, tmp_path, size), content(1 * MIB, "more")
    raw.put("/large", more, flags=F_WRITE | F_APPEND)
    assert 1 * MIB <= counted.store_traffic.sent <= 1 * MIB + 64 * KIB
    assert counted.store_traffic.received <= 64 * KIB
    assert_content(counted, raw, "/large", whole + more)
    transport.close()


def test_a_rename_a_copy_and_times_move_nothing(counted, tmp_path):
    transport, raw = connected(counted)
    whole = put_large(counted, raw, tmp_path, 64 * MIB)
    raw.rename("/large", "/renamed")
    sftp(counted, ["chmod 600 /renamed", "cp /renamed /copy"])
    assert counted.store_traffic.sent + counted.store_traffic.received <= 64 * KIB
    assert_content(counted, raw, "/copy", whole)
    transport.close()


def test_a_resumed_upload_sends_each_byte_once(counted, tmp_path):
    transport, raw = connected(counted)
    size = 64 * MIB
    source = write_file(tmp_path / "film", content(size))
    upload = SlowUpload(counted, source, "/film", tmp_path, megabits=200)
    upload.wait_for_bytes(raw, size // 2)
    upload.kill()
    processes.wait_until(lambda: counted.query(
        "SELECT incomplete FROM nodes WHERE name = 'film'") == [["t"]], "what arrived is the file")
    sftp(counted, [f"reput {source} /film"])
    assert size <= counted.store_traffic.sent <= size + 256 * KIB
    assert counted.store_traffic.received <= 256 * KIB
    assert_content(counted, raw, "/film", source.read_bytes())
    transport.close()


def test_after_kill_nine_only_what_was_not_stored_is_sent_again(counted, tmp_path):
    transport, raw = connected(counted)
    size = 64 * MIB
    source = write_file(tmp_path / "film", content(size))
    upload = SlowUpload(counted, source, "/film", tmp_path, megabits=200)
    upload.wait_for_bytes(raw, 40 * MIB)
    counted.kill()
    upload.wait()
    transport.close()
    counted.restart()
    transport, raw = connected(counted)
    received = processes.wait_until(lambda: raw.stat("/film").size or None,
                                    "the received prefix is the file", 180)
    counted.store_traffic.reset()
    sftp(counted, [f"reput {source} /film"])
    assert received >= 16 * MIB
    assert size - received <= counted.store_traffic.sent <= size - received + 256 * KIB
    assert_content(counted, raw, "/film", source.read_bytes())
    transport.close()


@pytest.mark.settings(flatten_after_quiet="1s")
def test_flattening_copies_inside_the_store(counted, tmp_path):
    transport, raw = connected(counted)
    whole, edit = put_large(counted, raw, tmp_path, 64 * MIB), content(4 * KIB, "edit")
    handle = raw.open("/large", F_READ | F_WRITE)
    raw.write(handle, 30 * MIB, edit)
    raw.close(handle)
    before = raw.stat("/large")
    processes.wait_until(lambda: extents(counted, "large") == 1, "the file is one object", 120)
    assert counted.store_traffic.sent <= 6 * MIB and counted.store_traffic.received <= 6 * MIB
    after = raw.stat("/large")
    assert (after.size, after.mtime, after.permissions) == (before.size, before.mtime,
                                                             before.permissions)
    assert_content(counted, raw, "/large", whole[:30 * MIB] + edit + whole[30 * MIB + 4 * KIB:])
    transport.close()


def test_many_small_appends_stay_few_extents(own_server):
    transport, raw = connected(own_server)
    lines = [content(KIB, number) for number in range(1000)]
    for line in lines:
        raw.put("/log", line, flags=F_WRITE | F_CREAT | F_APPEND)
    assert extents(own_server, "log") <= 20
    assert raw.get("/log") == b"".join(lines)
    transport.close()
    assert_clean(own_server)
