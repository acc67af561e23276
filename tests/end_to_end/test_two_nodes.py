"""Two `shoebox serve` on one database and one bucket, as behind a TCP balancer."""

import contextlib
import json

import pytest

from support import processes
from support.content import content
from support.raw_sftp import F_CREAT, F_READ, F_TRUNC, F_WRITE, WRITE, Attrs, U64
from support.sessions import assert_clean, connected

pytestmark = pytest.mark.minio

NEW = F_WRITE | F_CREAT | F_TRUNC


@contextlib.contextmanager
def second_node(server):
    """Another program with the same settings on another port; gives a client of it."""
    settings = json.loads(server.configuration.read_text())
    port = processes.free_port()
    settings["listen"] = [f"{server.host}:{port}"]
    configuration = server.folder / "second.yaml"
    configuration.write_text(json.dumps(settings))
    program = processes.Process([server.program, "serve", "--config", configuration],
                                server.folder / "second.log").start()
    first_port = server.port
    try:
        program.wait_ready(lambda: processes.answers(port))
        server.port = port
        transport, raw = connected(server)
        server.port = first_port
        yield raw
        transport.close()
    finally:
        server.port = first_port
        program.stop()


@pytest.fixture
def nodes(own_server):
    transport, first = connected(own_server)
    with second_node(own_server) as second:
        yield first, second
    transport.close()
    assert_clean(own_server)


def test_what_one_commits_the_other_sees_at_once(nodes):
    for number in range(30):
        one, other = nodes if number % 2 else reversed(nodes)
        large = content(300_000 if number % 3 else 2_000, number)
        one.put("/file", large)
        assert other.stat("/file").size == len(large)
        assert other.list("/")[b"file"].attrs.size == len(large)
        assert other.get("/file") == large
        one.rename("/file", "/renamed")
        assert not other.exists("/file") and other.get("/renamed") == large
        other.remove("/renamed")
        assert not one.exists("/renamed")


def test_the_first_one_forgets_what_it_remembers_before_the_second_one_begins(own_server):
    transport, first = connected(own_server)
    first.mkdir("/album")
    first.put("/album/photo", b"one")
    processes.wait_until(lambda: "names in memory trusted=yes" in own_server.logs()["shoebox"],
                         "the only server trusts its memory", 30)
    assert first.stat("/album/photo").size == 3 and not first.exists("/album/other")
    with second_node(own_server) as second:
        assert "names in memory trusted=no" in own_server.logs()["shoebox"]
        second.rename("/album/photo", "/album/other")
        assert not first.exists("/album/photo") and first.exists("/album/other")
        second.put("/album/other", b"another")
        assert first.stat("/album/other").size == 7
        first.rename("/album", "/moved")
        assert second.exists("/moved/other") and not second.exists("/album")
    transport.close()
    assert_clean(own_server)


def test_directories_moved_on_one_are_moved_on_the_other(nodes):
    first, second = nodes
    first.mkdir("/a")
    first.mkdir("/a/b")
    first.put("/a/b/photo", b"photo")
    assert second.get("/a/b/photo") == b"photo"
    first.rename("/a", "/moved")
    assert second.get("/moved/b/photo") == b"photo" and not second.exists("/a/b/photo")
    second.setstat("/moved/b/photo", Attrs(permissions=0o600, atime=5, mtime=1_500_000_000))
    assert first.stat("/moved/b/photo").mtime == 1_500_000_000


def test_attributes_set_on_one_are_there_for_who_opens_again_on_the_other(nodes):
    first, second = nodes
    first.put("/photo", b"photo")
    kept = first.open("/photo", F_READ)
    second.setstat("/photo", Attrs(permissions=0o600, atime=5, mtime=1_500_000_000))
    again = first.open("/photo", F_READ)
    attrs = first.fstat(again)
    assert attrs.mtime == 1_500_000_000 and attrs.permissions & 0o7777 == 0o600
    for handle in (kept, again):
        first.close(handle)


def test_a_reader_on_one_keeps_what_the_other_replaces(nodes):
    first, second = nodes
    old, new = content(2_000_000, "old"), content(1_500_000, "new")
    first.put("/film", old)
    handle = second.open("/film", F_READ)
    assert second.read(handle, 0, 1000) == old[:1000]
    first.put("/film", new)
    assert second.read(handle, 1_900_000, 1000) == old[1_900_000:1_901_000]
    second.close(handle)
    assert second.get("/film") == new


def test_a_size_on_the_other_is_one_that_can_be_read_there(nodes):
    first, second = nodes
    whole = content(12_000_000)
    handle = first.open("/file", NEW)
    for offset in range(0, len(whole), 200_000):
        first.ask(WRITE, handle, U64(offset), whole[offset:offset + 200_000]).ok()
        if offset % 4_000_000 == 0:
            seen = second.stat("/file").size
            assert len(second.get("/file")) == seen
    assert first.stat("/file").size == len(whole)
    first.close(handle)
    assert second.stat("/file").size == len(whole) and second.get("/file") == whole


def test_the_last_commit_wins_whole(nodes):
    first, second = nodes
    one, other = content(700_000, 1), content(600_000, 2)
    handles = first.open("/file", NEW), second.open("/file", NEW)
    for raw, handle, whole in zip(nodes, handles, (one, other)):
        for offset in range(0, len(whole), 100_000):
            raw.ask(WRITE, handle, U64(offset), whole[offset:offset + 100_000]).ok()
    second.close(handles[1])
    first.close(handles[0])
    assert first.get("/file") == second.get("/file") == one


def test_edits_of_one_build_on_those_of_the_other(nodes):
    expected = bytearray(content(400_000))
    nodes[0].put("/file", bytes(expected))
    for number in range(10):
        raw = nodes[number % 2]
        piece = content(5_000, number)
        handle = raw.open("/file", F_READ | F_WRITE)
        raw.write(handle, number * 37_000, piece)
        raw.close(handle)
        expected[number * 37_000:number * 37_000 + 5_000] = piece
    assert nodes[0].get("/file") == nodes[1].get("/file") == bytes(expected)


def upload_beginning(raw, path, whole):
    """All is in the store, but not closed: reading parts that were sent makes an object of them."""
    handle = raw.open(path, NEW)
    for offset in range(0, len(whole), 200_000):
        raw.ask(WRITE, handle, U64(offset), whole[offset:offset + 200_000]).ok()
    reader = raw.open(path, F_READ)
    assert raw.read(reader, 0, 1) == whole[:1]
    raw.close(reader)
    return handle


@pytest.mark.settings(part_size="5MiB")
def test_a_killed_upload_is_kept_where_the_other_has_moved_it(own_server):
    """And never in place of what replaced it there."""
    transport, first = connected(own_server)
    first.put("/target", b"old")
    first.put("/other", b"other")
    first.put("/empty", b"")
    wholes = {name: content(12_000_000, name)
              for name in ("renamed", "moved", "removed", "replaced", "emptied", "stored")}
    for name, whole in wholes.items():
        upload_beginning(first, f"/{name}", whole)
    assert own_server.query("SELECT count(*) FROM uploads") == [[str(len(wholes))]]
    with second_node(own_server) as second:
        second.rename("/renamed", "/new name")
        second.posix_rename("/moved", "/target")
        second.remove("/removed")
        second.posix_rename("/other", "/replaced")
        second.posix_rename("/empty", "/emptied")
        second.put("/stored", b"stored")
        own_server.kill()
        transport.close()
        processes.wait_until(
            lambda: second.stat("/new name").size and second.stat("/target").size > len(b"old"),
            "what arrived of the moved files is there", 240)
        assert second.get("/new name") == wholes["renamed"]
        assert second.get("/target") == wholes["moved"]
        for name in ("renamed", "moved", "removed"):
            assert not second.exists(f"/{name}")
        assert second.get("/replaced") == b"other"
        assert second.get("/emptied") == b""
        assert second.get("/stored") == b"stored"
    own_server.restart()
    assert_clean(own_server)


@pytest.mark.settings(part_size="5MiB")
def test_an_upload_follows_its_file_wherever_the_other_moves_it(nodes):
    first, second = nodes
    first.put("/target", b"old")
    first.put("/other", b"other")
    wholes = {name: content(12_000_000, name) for name in ("moved", "removed", "replaced")}
    handles = {name: upload_beginning(first, f"/{name}", whole) for name, whole in wholes.items()}
    second.posix_rename("/moved", "/target")
    second.remove("/removed")
    second.posix_rename("/other", "/replaced")
    assert first.get("/replaced") == b"other"
    for handle in handles.values():
        first.close(handle)
    for raw in nodes:
        assert raw.get("/target") == wholes["moved"]
        assert raw.get("/replaced") == b"other"
        assert not raw.exists("/moved") and not raw.exists("/removed")
