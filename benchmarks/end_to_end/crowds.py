"""Many clients at once: the memory of idle sessions, and of transfers beyond the cap."""

import concurrent.futures
import contextlib
import os
import resource
import threading
import time

from clients import Client
from measure import attempt, plain_table, proportional_memory
from peers import DelayProxy
from support import processes
from support.content import digest
from support.raw_sftp import RawSftp

LOGINS_AT_ONCE = 12
PEERS_SESSIONS = 100
CROWD = 50
FAR_CROWD = 200
FAR_MIB = 4
SLOW_EVERY = 5
SLOW_KILOBITS = 40_000


def idle_table(bench):
    """Sessions that logged in, opened an sftp channel and do nothing. The peers get fewer."""
    rows = []
    for peer in bench.peers_in("idle"):
        sessions = bench.options.sessions if peer is bench.peers[0] else PEERS_SESSIONS
        done = attempt(peer, f"{sessions} idle sessions",
                       lambda peer=peer: _idle(peer, bench, sessions))
        if done:
            before, after = done
            rows.append([peer.name, f"{sessions:,}", f"{before / 1e6:.0f}", f"{after / 1e6:.0f}",
                         f"{(after - before) / sessions / 1e3:.0f}"])
    return plain_table(
        "Idle sessions", ["", "sessions", "MB before", "MB with them", "kB each"], rows,
        "Resident memory; of OpenSSH's processes the proportional set size.")


def _idle(peer, bench, sessions):
    _raise_file_limit()
    peer.use_store(bench.minio.port)
    client, opened = Client(peer, bench.folder), []
    before = _memory(peer)

    def open_one(_):
        channel = client.channel()
        opened.append(channel)
        RawSftp(channel).realpath(".")
    try:
        with concurrent.futures.ThreadPoolExecutor(LOGINS_AT_ONCE) as pool:
            list(pool.map(open_one, range(sessions)))
        time.sleep(3)  # What a login needed has been given back by then.
        return before, _memory(peer)
    finally:
        for channel in opened:
            channel.close()


def _raise_file_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _memory(peer):
    """Of all its processes: those of OpenSSH share most of theirs."""
    pid = peer.server_pid()
    below = processes.children_of(pid)
    return proportional_memory({pid} | below) if below else processes.resident_bytes(pid)


@contextlib.contextmanager
def _peak_memory(peer):
    """Yields a function that tells the highest resident memory since the beginning, in bytes."""
    over, peak = threading.Event(), [0]

    def sample():
        while not over.wait(0.02):
            peak[0] = max(peak[0], processes.resident_bytes(peer.server_pid()))
    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield lambda: peak[0]
    finally:
        over.set()
        thread.join()


def transfer_table(bench):
    """Shoebox alone, with the default cap of 256 MiB."""
    rows = []
    for name, work in ((f"{CROWD} uploads and {CROWD} downloads of {bench.options.crowd_mib} MiB, "
                        f"every {SLOW_EVERY}th slow", _both_ways),
                       (f"{FAR_CROWD} uploads of {FAR_MIB} MiB from "
                        f"{bench.options.client_latency_ms:g} ms away", _far_uploads)):
        shoebox = bench.peers[0]
        # A new process: the peak is that of this crowd, which logs in all at once.
        shoebox.use_store(bench.minio.port, limits={"unauthenticated_max": 1000,
                                                    "unauthenticated_per_network_max": 1000})
        before = processes.resident_bytes(shoebox.server_pid())
        done = attempt(shoebox, name, lambda: work(shoebox, bench))
        if done:
            wall, moved, peak = done
            rows.append([name, f"{wall:.1f}", f"{moved / wall / 1e6:.0f}", f"{before / 1e6:.0f}",
                         f"{peak / 1e6:.0f}", f"{peak / (1 << 20) - 256:.0f}"])
    return plain_table("Crowds", ["", "wall s", "MB/s", "MB before", "peak MB",
                                  "MiB above the cap"], rows)


def _both_ways(shoebox, bench):
    source, size = bench.files / "crowd", bench.options.crowd_mib << 20
    with open(bench.files / "large", "rb") as large, open(source, "wb") as file:
        os.sendfile(file.fileno(), large.fileno(), 0, size)
    Client(shoebox, bench.folder).batch(f"put {source} crowd-source")
    target = bench.files / "crowd-back"
    target.mkdir()
    commands = {f"up{n}": f"put {source} crowd-{n}" for n in range(CROWD)}
    commands |= {f"down{n}": f"get crowd-source {target}/{n}" for n in range(CROWD)}
    with _peak_memory(shoebox) as peak:
        wall = _run_all(Client(shoebox, bench.folder), commands)
        highest = peak()
    wanted = digest(source)
    for number in range(CROWD):
        if digest(target / str(number)) != wanted:
            raise processes.Failed(f"download {number} has other bytes")
        (target / str(number)).unlink()
    for number in (0, CROWD // 2, CROWD - 1):
        Client(shoebox, bench.folder).batch(f"get crowd-{number} {target}/back")
        if digest(target / "back") != wanted:
            raise processes.Failed(f"upload {number} has other bytes")
    Client(shoebox, bench.folder).batch("-rm crowd-*")
    return wall, 2 * CROWD * size, highest


def _far_uploads(shoebox, bench):
    source = bench.files / "far"
    with open(bench.files / "large", "rb") as large, open(source, "wb") as file:
        os.sendfile(file.fileno(), large.fileno(), 1 << 20, FAR_MIB << 20)
    proxy = DelayProxy(shoebox.port, bench.options.client_latency_ms, bench.folder)
    try:
        with _peak_memory(shoebox) as peak:
            wall = _run_all(Client(shoebox, bench.folder, proxy.port),
                            {f"far{n}": f"put {source} far-{n}" for n in range(FAR_CROWD)})
            highest = peak()
    finally:
        proxy.stop()
    Client(shoebox, bench.folder).batch("-rm far-*")
    return wall, FAR_CROWD * FAR_MIB << 20, highest


def _run_all(client, commands):
    """All at once; returns the seconds until the last one ended."""
    begun, running = time.monotonic(), {}
    for number, (name, command) in enumerate(commands.items()):
        slow = ["-l", str(SLOW_KILOBITS)] if number % SLOW_EVERY == 0 else []
        running[name] = client.start_batch(name, [command], *slow)
    for name, process in running.items():
        processes.wait_until(lambda: not process.running(), f"{name} ends", 600)
        if process.stop() != 0:
            raise processes.Failed(f"{name} failed\n{process.log_tail()}")
    return time.monotonic() - begun
