"""docs/recovery.md: the database is lost, and comes back out of the store."""

import re
import shutil

import pytest

from support import processes
from support.content import content
from support.raw_sftp import Attrs, StatusError
from support.sessions import assert_clean, connected

pytestmark = pytest.mark.shoebox

OTHER = ("bert", "berts-own-password")
FILES = {
    "/Größe & Ich (Kopie).jpg": content(300_000, "a"),
    "/2024/日本 旅行.mov": content(5_000_000, "b"),
    "/2024/small.txt": content(2_000, "c"),
    "/2024/.nomedia": b"",
    "/edited": content(1_000_000, "d"),
}
MTIME = 1_500_000_001


def edit(raw, path, offset, more):
    handle = raw.open(path, 0x3)  # Read and write.
    raw.write(handle, offset, more)
    raw.close(handle)
    before = FILES[path]
    return before[:offset] + more + before[offset + len(more):]


def fill(server):
    """Files of two users; returns what anna's contain."""
    server.add_user(*OTHER)
    transport, raw = connected(server)
    raw.mkdir("/2024")
    expected = dict(FILES)
    for path, what in FILES.items():
        raw.put(path, what)
    expected["/edited"] = edit(raw, "/edited", 400_000, content(150_000, "e"))
    for number, path in enumerate(FILES):
        raw.setstat(path, Attrs(mtime=MTIME + number, atime=MTIME))
    raw.symlink("2024/small.txt", "/link")
    transport.close()
    other = server.transport(*OTHER)
    server.raw_sftp(other).put("/mine", content(200_000, "bert"))
    other.close()
    return expected


def check(server, expected):
    transport, raw = connected(server)
    for number, (path, what) in enumerate(expected.items()):
        assert raw.get(path) == what, path
        assert raw.stat(path).mtime == MTIME + number
    names = {name.decode() for name in raw.list("/2024")}
    assert names == {"日本 旅行.mov", "small.txt", ".nomedia"}
    assert raw.readlink("/link") == b"2024/small.txt"
    other = server.transport(*OTHER)
    assert server.raw_sftp(other).get("/mine") == content(200_000, "bert")
    other.close()
    return transport, raw


def lose_database(server):
    """The program stands still, and its database is new and empty."""
    server.stop_program()
    if server.kind == "minio":
        server.postgres.query("DROP DATABASE shoebox", database="postgres")
        server.postgres.query("CREATE DATABASE shoebox", database="postgres")
    else:
        shutil.rmtree(server.folder_of_data / "postgres")


def rebuild(server, *arguments, expect=0):
    return server.command("fsck", "--rebuild", *arguments, expect=expect, seconds=300).output


def export(server):
    """The directory of a new export."""
    return server.command("export-metadata").stdout.split(": ")[1].strip()


def stored_files(server, directory):
    """The keys of all files of exports below `directory`."""
    if server.kind == "minio":
        keys = server.minio.keys()
    else:
        top = server.folder_of_data / "objects/objects"
        keys = {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}
    return sorted(key for key in keys if key.startswith(directory + "/"))


def s3(server, key, *options):
    return ["curl", "-sSf", "--aws-sigv4", "aws:amz:us-east-1:s3", "-u", "minioadmin:minioadmin",
            "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", *options,
            f"{server.minio.url}/shoebox/{key}"]


def damage(server, key, folder):
    """One bit of a stored file is another one."""
    minio = server.kind == "minio"
    file = folder / "damaged" if minio else server.folder_of_data / "objects/objects" / key
    if minio:
        processes.run(s3(server, key, "-o", str(file)))
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 4
    with open(file, "r+b") as same:
        same.write(raw)
    if minio:
        processes.run(s3(server, key, "-T", str(file)))


def remove(server, key):
    if server.kind == "minio":
        processes.run(s3(server, key, "-X", "DELETE"))
    else:
        (server.folder_of_data / "objects/objects" / key).unlink()


def test_everything_comes_back_and_what_came_later_is_in_lost_and_found(own_server):
    expected = fill(own_server)
    export(own_server)
    transport, raw = connected(own_server)
    later = content(400_000, "later")
    raw.put("/later.jpg", later)
    transport.close()
    lose_database(own_server)
    output = rebuild(own_server)
    assert "restored 2 users" in output and "\nclean" in output
    own_server.restart()
    transport, raw = check(own_server, expected)
    with pytest.raises(StatusError):
        raw.stat("/later.jpg")
    found = {name.decode(): raw.get("/lost+found/" + name.decode())
             for name in raw.list("/lost+found")}
    assert later in found.values()
    for name in found:
        assert re.fullmatch(r"node-\d+_\d{4}-\d\d-\d\dT\d{6}Z_object-\d+(_.+)?", name)
    raw.put("/new", content(300_000, "new"))  # Life goes on.
    assert raw.get("/new") == content(300_000, "new")
    transport.close()
    assert_clean(own_server)


@pytest.mark.settings(**{"metadata_export": {"every": "1s", "keep": 2}})
def test_exports_are_made_by_themselves_and_old_ones_go(own_server):
    expected = fill(own_server)

    def exports():
        return own_server.logs()["shoebox"].count("metadata exported")
    done = exports()
    processes.wait_until(lambda: exports() >= done + 4, "some exports were written", 60)
    assert "argon2" not in own_server.logs()["shoebox"]
    assert_clean(own_server)
    lose_database(own_server)
    directories = {key.split("/")[1] for key in stored_files(own_server, "metadata")}
    assert len(directories) <= 3  # Two, and one that the end of the program interrupted.
    rebuild(own_server)
    own_server.restart()
    check(own_server, expected)[0].close()


def test_a_damaged_export_is_refused_and_the_one_before_can_be_chosen(own_server, tmp_path):
    expected = fill(own_server)
    first = export(own_server)
    second = export(own_server)
    lose_database(own_server)
    nodes, = [key for key in stored_files(own_server, second) if "-nodes." in key]
    damage(own_server, nodes, tmp_path)
    output = rebuild(own_server, expect=1)
    assert "-nodes.jsonl.gz" in output and "Nothing was changed" in output
    assert "\nclean" in rebuild(own_server, "--export", first)
    own_server.restart()
    check(own_server, expected)[0].close()


def test_an_export_that_was_interrupted_is_none(own_server):
    expected = fill(own_server)
    first = export(own_server)
    second = export(own_server)
    lose_database(own_server)
    remove(own_server, second + "/manifest")
    assert first.rpartition("/")[2] in rebuild(own_server)
    own_server.restart()
    check(own_server, expected)[0].close()


def test_a_database_in_use_is_left_alone(own_server):
    expected = fill(own_server)
    export(own_server)
    assert "not empty" in rebuild(own_server, expect=1)
    check(own_server, expected)[0].close()
