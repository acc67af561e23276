"""Large directories, large files, and many uploads in little memory."""

import contextlib
import subprocess
import threading
import time

import pytest

from support import processes
from support.content import content, digest, write_file
from support.openssh_client import master, sftp
from support.raw_sftp import F_READ, MKDIR, READ, READDIR, Attrs, U64

def fill_directory(server, raw, path, entries):
    """Makes a directory with that many files; of Shoebox's straight in the database, for speed."""
    raw.mkdir(path)
    marker = 1_234_567_890 + entries
    raw.setstat(path, Attrs(atime=marker, mtime=marker))
    name = path.rsplit("/", 1)[1].replace("'", "''")
    server.query(f"""
        INSERT INTO nodes (account_id, parent_id, name, kind, mode, uid, gid, atime, mtime, ctime)
        SELECT d.account_id, d.id, 'IMG_' || lpad(n::text, 8, '0') || '.JPG', 'file', 420, d.uid,
               d.gid, d.mtime, d.mtime, d.mtime
        FROM nodes d, generate_series(1, {entries}) n
        WHERE d.name = '{name}' AND d.kind = 'directory' AND d.mtime = shoebox_time({marker}000000)""")
    server.query(f"""
        UPDATE account_usage u SET files = files + {entries} FROM nodes d
        WHERE d.name = '{name}' AND d.kind = 'directory' AND d.mtime = shoebox_time({marker}000000)
          AND u.account_id = d.account_id
          AND u.slot = (SELECT min(slot) FROM account_usage s WHERE s.account_id = d.account_id)""")


@pytest.mark.shoebox
@pytest.mark.parametrize("entries", [30_000, pytest.param(1_000_000, marks=pytest.mark.large)])
def test_a_huge_directory_begins_at_once_and_lists_each_name_once(server, raw, remote, entries):
    fill_directory(server, raw, f"{remote}/huge", entries)
    begun = time.monotonic()
    handle = raw.open_directory(f"{remote}/huge")
    names = [entry.name for entry in raw.ask(READDIR, handle).ok()]
    first_reply_seconds = time.monotonic() - begun
    names += [entry.name for entry in raw.entries(handle)]
    all_seconds = time.monotonic() - begun
    raw.close(handle)
    assert len(names) == len(set(names)) == entries + 2
    assert set(names) >= {b"IMG_%08d.JPG" % number for number in (1, entries // 2, entries)}
    print(f"first reply after {first_reply_seconds:.3f} s, all after {all_seconds:.1f} s")
    assert first_reply_seconds * 5 < all_seconds  # It does not read all of it first.
    assert raw.stat(f"{remote}/huge/IMG_00000777.JPG").size == 0
    raw.rename(f"{remote}/huge", f"{remote}/renamed")
    assert raw.stat(f"{remote}/renamed/IMG_00000778.JPG").size == 0
    listed = sftp(server, [f"ls -1f {remote}/renamed"], seconds=300).stdout
    assert listed.count("IMG_") == entries


def test_a_directory_filled_by_a_client(raw, remote):
    for first in range(0, 600, 100):
        ids = [raw.send(MKDIR, f"{remote}/{number:05}", Attrs()) for number in range(first, first + 100)]
        for request_id in ids:
            raw.reply(request_id).ok()
    assert list(raw.list(remote)) and set(raw.list(remote)) == {b"%05d" % n for n in range(600)}


@pytest.mark.parametrize("megabytes", [100, pytest.param(5 * 1024, marks=pytest.mark.large)])
def test_a_large_file_up_and_down(server, remote, raw, tmp_path, megabytes):
    """Mostly holes on our side, so that it costs little disk; all bytes on the wire."""
    source, size = tmp_path / "large", megabytes * (1 << 20) + 12_345
    with open(source, "wb") as file:
        for offset in range(0, size, 16 << 20):
            file.seek(offset)
            file.write(content(100_000, offset))
        file.truncate(size)
    sftp(server, [f"put {source} {remote}/large"], seconds=3000)
    assert raw.stat(f"{remote}/large").size == size
    if megabytes < 1024:
        sftp(server, [f"get {remote}/large {tmp_path}/back"])
        assert digest(tmp_path / "back") == digest(source)
    else:
        obscured = processes.run(["rclone", "obscure", "-"], stdin=server.password).stdout.strip()
        got = subprocess.run(
            f"rclone cat --config /dev/null ':sftp,host={server.host},port={server.port},"
            f"user={server.user},pass={obscured}:{remote}/large' | sha256sum",
            shell=True, check=True, capture_output=True, timeout=3000)
        assert got.stdout.decode().split()[0] == digest(source)
    raw.remove(f"{remote}/large")


@pytest.fixture
def peak_memory():
    """Watches a process: peak_memory(pid) returns a function that tells the peak so far, in bytes."""
    watching, threads = threading.Event(), []

    def watch(pid):
        peak = [0]

        def sample():
            while not watching.wait(0.05):
                peak[0] = max(peak[0], processes.resident_bytes(pid))
        threads.append(threading.Thread(target=sample))
        threads[-1].start()
        return lambda: peak[0]
    yield watch
    watching.set()
    for thread in threads:
        thread.join()


@pytest.mark.shoebox
@pytest.mark.memory
@pytest.mark.settings(transfer_memory_max="64MiB", read_cache_max="16MiB")
def test_fifty_uploads_at_once_stay_within_the_memory_cap(own_server, tmp_path, peak_memory):
    cap = 64 << 20
    size, uploads, connections = 8_000_000, 50, 10
    source = write_file(tmp_path / "source", content(size))
    peak = peak_memory(own_server.pid())
    with contextlib.ExitStack() as masters:
        through = [masters.enter_context(master(own_server, tmp_path, f"mux{n}"))
                   for n in range(connections)]
        clients = [processes.Process(
            ["sftp", *own_server.ssh_options(), *through[n % connections],
             "-P", str(own_server.port), "-b", write_file(tmp_path / f"b{n}", f"put {source} {n}\n"),
             own_server.spec()], tmp_path / f"{n}.log", env=own_server.environment()).start()
            for n in range(uploads)]
        for number, client in enumerate(clients):
            processes.wait_until(lambda: not client.running(), f"upload {number} ends", 300)
    print(f"peak {peak() >> 20} MB")
    assert peak() <= cap + (150 << 20)
    transport = own_server.transport()
    raw = own_server.raw_sftp(transport)
    assert {entry.attrs.size for entry in raw.list("/").values()} == {size}
    assert len(raw.list("/")) == uploads
    for number in (0, 17, 49):
        assert digest(raw.get(f"/{number}")) == digest(source)
    transport.close()


@pytest.mark.memory
@pytest.mark.shoebox
def test_readers_that_ask_for_everything_at_once_cost_little_memory(server, raw, remote,
                                                                    peak_memory):
    raw.put(f"{remote}/file", content(30_000_000), piece=200_000)
    peak = peak_memory(server.pid())
    transport = server.transport()
    readers = []
    for _ in range(8):
        reader = server.raw_sftp(transport)
        handle = reader.open(f"{remote}/file", F_READ)
        for _ in range(4):
            for offset in range(0, 30_000_000, 32_768):
                reader.send(READ, handle, U64(offset), 32_768)
        readers.append((reader, handle))
    # Nobody reads the answers but what paramiko takes by itself.
    assert raw.stat(f"{remote}/file").size == 30_000_000
    transport.close()
    assert raw.get(f"{remote}/file")[:100] == content(30_000_000)[:100]
    print(f"peak {peak() >> 20} MB")
    assert peak() <= (256 + 150) << 20
