"""The server stops, is killed, and starts again: nothing that was acknowledged is lost."""

import os
import random
import signal
import threading

import pytest

from support import processes
from support.content import content, write_file
from support.openssh_client import sftp
from support.raw_sftp import F_CREAT, F_TRUNC, F_WRITE, WRITE, Attrs, U64
from support.sessions import assert_clean, connected
from support.uploads import SlowUpload

pytestmark = pytest.mark.shoebox

NEW = F_WRITE | F_CREAT | F_TRUNC


def test_a_second_start_keeps_everything(own_server, tmp_path):
    transport, raw = connected(own_server)
    raw.mkdir("/folder")
    raw.put("/folder/large", content(20_000_000), piece=200_000)
    raw.put("/folder/small", b"small")
    raw.symlink("folder/small", "/link")
    raw.setstat("/folder/small", Attrs(
        permissions=0o640, atime=1_400_000_000, mtime=1_500_000_000))
    key = transport.get_remote_server_key().get_fingerprint()
    transport.close()
    assert own_server.stop_program() == 0
    own_server.restart()
    transport, raw = connected(own_server)
    assert transport.get_remote_server_key().get_fingerprint() == key
    assert raw.get("/folder/large") == content(20_000_000) and raw.get("/link") == b"small"
    found = raw.stat("/folder/small")
    assert (found.permissions, found.mtime) == (0o100640, 1_500_000_000)
    transport.close()
    assert_clean(own_server)


def test_kill_nine_during_twenty_uploads(own_server, tmp_path):
    transport, raw = connected(own_server)
    old = {f"/old{number}": content(200_000 + number * 50_000, f"old{number}") for number in range(20)}
    for path, whole in old.items():
        raw.put(path, whole, piece=200_000)
    raw.put("/untouched", content(5_000_000, "untouched"), piece=200_000)
    new = {path: content(12_000_000, path) for path in list(old)[:10]}
    new |= {f"/new{number}": content(12_000_000, number) for number in range(10)}
    connections = [connected(own_server) for _ in range(4)]
    acknowledged = {}
    for number, (path, whole) in enumerate(new.items()):
        client = connections[number % 4][1]
        handle = client.open(path, NEW)
        ids = [client.send(WRITE, handle, U64(offset), whole[offset:offset + 100_000])
               for offset in range(0, 7_000_000, 100_000)]
        acknowledged[path] = (client, ids)
    for client, ids in acknowledged.values():
        for request_id in ids[:40]:
            client.reply(request_id).ok()
    own_server.kill()
    for each, _ in connections:
        each.close()
    transport.close()
    own_server.restart()
    transport, raw = connected(own_server)
    assert raw.get("/untouched") == content(5_000_000, "untouched")
    for path in list(old)[10:]:
        assert raw.get(path) == old[path]
    for path, whole in new.items():
        found = raw.get(path) if raw.exists(path) else b""
        assert found == whole[:len(found)] or found == old.get(path), path
    for path, whole in new.items():  # And all of it can be written again at once.
        raw.put(path, whole, piece=200_000)
        assert raw.get(path) == whole
    transport.close()
    assert_clean(own_server)


def test_what_was_closed_or_synced_survives_kill_nine(own_server):
    transport, raw = connected(own_server)
    for number in range(20):
        raw.put(f"/closed{number}", content(1000 * number ** 3, number), piece=200_000)
    handle = raw.open("/synced", NEW)
    raw.write(handle, 0, content(100_000))
    raw.fsync(handle)
    raw.mkdir("/folder")
    raw.rename("/closed7", "/folder/renamed")
    own_server.kill()
    transport.close()
    own_server.restart()
    transport, raw = connected(own_server)
    for number in range(20):
        path = "/folder/renamed" if number == 7 else f"/closed{number}"
        assert raw.get(path) == content(1000 * number ** 3, number)
    assert raw.get("/synced")[:100_000] == content(100_000)
    transport.close()
    assert_clean(own_server)


def test_killed_again_and_again(own_server):
    for round_number in range(4):
        transport, raw = connected(own_server)
        for earlier in range(round_number):
            assert raw.get(f"/round{earlier}") == content(700_000, earlier)
        raw.put(f"/round{round_number}", content(700_000, round_number))
        handle = raw.open("/unfinished", NEW)
        raw.write(handle, 0, content(200_000))
        own_server.kill()
        transport.close()
        own_server.restart()
    assert_clean(own_server)


class Workload(threading.Thread):
    """Small files made, appended to, edited, replaced and renamed, until the connection breaks.

    `known` has what each path contained when a CLOSE was answered; `doing` what the operation under
    way would have made of one path, None for no file.
    """

    def __init__(self, raw, known, number, round_number):
        super().__init__()
        self.raw, self.known, self.number, self.seed = raw, known, number, f"{round_number}/{number}"
        self.doing, self.done, self.failure = {}, 0, None

    def run(self):
        try:
            while True:
                self.step(random.Random(f"{self.seed}/{self.done}"))
                self.done += 1
        except Exception as failure:  # noqa: the connection broke, in whichever way paramiko says it
            self.failure = failure

    def has_done(self, steps):
        """Whether so many steps are done; raises what ended the work before the test did."""
        if self.failure:
            raise self.failure
        return self.done >= steps

    def change(self, path, after, flags, pieces):
        self.doing = {path: after}
        handle = self.raw.open(path, flags)
        for offset, piece in pieces:
            self.raw.write(handle, offset, piece)
        self.raw.close(handle)
        self.known[path] = after

    def step(self, choose):
        path = f"/w{self.number}-{choose.randrange(6)}"
        before = self.known.get(path)
        piece = content(choose.choice([10, 3_000, 40_000]), choose.random())
        kind = choose.choice(["put", "append", "edit", "rename"])
        if before is None or kind == "put" or len(before) > 500_000:
            self.change(path, piece, NEW, [(0, piece)])
        elif kind == "append":
            self.change(path, before + piece, F_WRITE, [(len(before), piece)])
        elif kind == "edit":
            at = choose.randrange(len(before) + 1)  # An interrupted CREAT leaves an empty file.
            after = before[:at] + piece + before[at + len(piece):]
            self.change(path, after, F_WRITE, [(at, piece)])
        else:
            target = f"/w{self.number}-{choose.randrange(6, 9)}"
            self.doing = {path: None, target: before}
            self.raw.posix_rename(path, target)
            self.known[target] = self.known.pop(path)
        self.doing = {}


@pytest.mark.minio
@pytest.mark.settings(destage_after="1s", flatten_after_quiet="1s", version_keep="1s")
def test_everything_killed_again_and_again(own_server):
    """Server, PostgreSQL and MinIO at once, while small content moves from one to the other."""
    known = {}
    for round_number in range(5):
        connections = [connected(own_server) for _ in range(3)]
        work = [Workload(raw, known, number, round_number)
                for number, (_, raw) in enumerate(connections)]
        for each in work:
            each.start()
        processes.wait_until(lambda: all(each.has_done(31) for each in work), "work is done", 60)
        own_server.kill()
        own_server.postgres.kill()
        own_server.minio.kill()
        for transport, _ in connections:
            transport.close()
        for each in work:
            each.join()
        own_server.minio.start()
        own_server.postgres.start()
        own_server.restart()
        transport, raw = connected(own_server)
        for path, after in [change for each in work for change in each.doing.items()]:
            found = raw.get(path) if raw.exists(path) else None
            before = known.get(path)
            # A CREAT or TRUNC may have happened without the content that follows.
            assert found in (before, after) or is_beginning(found, after), path
            known.pop(path, None)
            if found is not None:
                known[path] = found
        for path, whole in known.items():
            assert raw.get(path) == whole, path
        transport.close()
    assert_clean(own_server)


def is_beginning(found, whole):
    return found is not None and whole is not None and whole.startswith(found)


def test_resuming_after_the_server_was_killed(own_server, tmp_path):
    source = write_file(tmp_path / "film.mov", content(60_000_000))
    transport, raw = connected(own_server)
    upload = SlowUpload(own_server, source, "/film.mov", tmp_path, megabits=200)
    upload.wait_for_bytes(raw, 30_000_000)
    own_server.kill()
    assert not upload.wait()
    transport.close()
    own_server.restart()
    if "film.mov" in sftp(own_server, ["ls"]).stdout:
        sftp(own_server, [f"reput {source} film.mov"])
    else:
        sftp(own_server, [f"put {source} film.mov"])
    transport, raw = connected(own_server)
    assert raw.get("/film.mov") == source.read_bytes()
    transport.close()
    assert_clean(own_server)


def test_sigterm_during_uploads_keeps_what_arrived(own_server, tmp_path):
    source = write_file(tmp_path / "film.mov", content(60_000_000))
    transport, raw = connected(own_server)
    upload = SlowUpload(own_server, source, "/film.mov", tmp_path, megabits=200)
    seen = upload.wait_for_bytes(raw, 10_000_000)
    transport.close()
    assert own_server.stop_program() == 0
    assert not upload.wait()
    own_server.restart()
    transport, raw = connected(own_server)
    found = raw.get("/film.mov")
    assert len(found) >= seen and found == source.read_bytes()[:len(found)]
    transport.close()
    assert_clean(own_server)


@pytest.mark.quickstart
def test_sigterm_stops_everything_within_five_seconds(own_server):
    transport, raw = connected(own_server)
    raw.put("/file", b"1")
    all_processes = processes.children_of(own_server.pid())
    assert all_processes, "quickstart has its own PostgreSQL"
    own_server._process.send_signal(signal.SIGTERM)
    processes.wait_until(lambda: not own_server.running(), "the server has stopped", 5)
    assert not [pid for pid in all_processes if os.path.exists(f"/proc/{pid}")]
    assert not processes.answers(own_server.port)
    transport.close()


@pytest.mark.quickstart
def test_control_c_stops_it_too(own_server):
    all_processes = processes.children_of(own_server.pid())
    assert own_server.stop_program(signal.SIGINT) == 0
    assert not [pid for pid in all_processes if os.path.exists(f"/proc/{pid}")]


@pytest.mark.quickstart
def test_a_second_quickstart_on_one_folder_is_refused(own_server):
    arguments = own_server.start_command()
    at = arguments.index("--listen") + 1
    arguments[at] = f"127.0.0.1:{processes.free_port()}"
    second = processes.run(arguments, expect="failure", seconds=30)
    assert "already" in second.output.lower() or "in use" in second.output.lower(), second.output
    transport, raw = connected(own_server)
    raw.put("/file", b"the first goes on")
    transport.close()


@pytest.mark.quickstart
def test_a_port_in_use_is_a_clear_error(own_server):
    arguments = own_server.start_command()
    arguments[arguments.index("--data") + 1] = own_server.folder / "another"
    second = processes.run(arguments, expect="failure", seconds=60)
    assert str(own_server.port) in second.output and "use" in second.output, second.output
    assert not list((own_server.folder / "another").rglob("postmaster.pid"))


def test_the_configuration_is_checked(own_server, tmp_path):
    bad = write_file(tmp_path / "bad.yaml", "listen: [\"127.0.0.1:1\"]\nno_such_key: 1\n")
    refused = processes.run([own_server.program, "serve", "--config", bad], expect="failure")
    assert "no_such_key" in refused.output
