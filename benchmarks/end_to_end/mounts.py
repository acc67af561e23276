"""sshfs: random reads of a file that the server has in memory, and git in a mount."""

import contextlib
import json
import os
import time

from clients import Client
from measure import attempt, measure, plain_table, table
from support import processes

READ_SECONDS = 8
CHECKOUT_FILES = 5000


@contextlib.contextmanager
def _mounted(peer, bench, *options):
    folder = bench.folder / f"mount-{peer.port}"
    folder.mkdir(exist_ok=True)
    arguments = ["sshfs", "-f", "-p", str(peer.port), f"{peer.user}@127.0.0.1:", folder]
    for option in [f"IdentityFile={bench.folder}/key", "StrictHostKeyChecking=no",
                   "UserKnownHostsFile=/dev/null", "PreferredAuthentications=publickey",
                   "Ciphers=aes128-gcm@openssh.com", *options]:
        arguments += ["-o", option]
    process = processes.Process(arguments, bench.folder / f"sshfs-{peer.port}.log").start()
    try:
        process.wait_ready(lambda: os.path.ismount(folder), 30)
        yield folder
    finally:
        if os.path.ismount(folder):
            processes.run(["fusermount3", "-u", "-z", folder], expect=None)
        processes.wait_until(lambda: not process.running(), "sshfs has ended", 30)


def read_table(bench):
    """4 KiB at a time; the client's kernel keeps nothing (direct_io), the server all of it."""
    rows, rates = [], {}
    for peer in bench.peers_in("reads"):
        peer.use_store(bench.minio.port, read_cache_max=f"{bench.options.size_mib * 3 // 2}MiB",
                       transfer_memory_max=f"{bench.options.size_mib * 2}MiB")
        try:
            rates[peer.name] = attempt(peer, "random reads through sshfs",
                                       lambda peer=peer: _random_reads(peer, bench)) or {}
        finally:
            peer.use_store(bench.minio.port)
    ours = next(iter(rates.values()))
    for name, found in rates.items():
        rows.append([name] + [text for jobs in (1, 8) for text in (
            [f"{found[jobs]:,.0f}", f"{ours[jobs] / found[jobs]:.2f}"]
            if found and ours else ["failed", ""])])
    return plain_table(
        f"4 KiB random reads of a cached {bench.options.size_mib} MiB file through sshfs",
        ["", "one reader, reads/s", "Shoebox ÷ it", "8 readers, reads/s", "Shoebox ÷ it"], rows)


def _random_reads(peer, bench):
    client = Client(peer, bench.folder)
    client.batch(f"put {bench.files}/large large")
    with _mounted(peer, bench, "direct_io") as folder:
        with open(folder / "large", "rb", buffering=0) as file:
            while file.read(1 << 20):  # Now it is in the server's memory.
                pass
        rates = {jobs: _fio(folder / "large", jobs, bench.options.size_mib) for jobs in (1, 8)}
    client.batch("rm large")
    return rates


def _fio(path, jobs, size_mib):
    printed = processes.run([
        "fio", "--name=reads", f"--filename={path}", "--rw=randread", "--bs=4k", "--readonly",
        f"--size={size_mib}M", f"--runtime={READ_SECONDS}", "--time_based", "--ioengine=psync",
        f"--numjobs={jobs}", "--group_reporting", "--invalidate=0", "--output-format=json"])
    return json.loads(printed.stdout)["jobs"][0]["read"]["iops"]


def git_table(bench):
    """`git status` in a checkout of 5,000 files, as after a mount and a while later.

    Both times git compares every file's attributes. The first time they are others than git
    remembers (a mount invents the inode numbers), so it reads all contents too. sshfs forgets
    attributes after one second instead of 20, so that we need not wait as long.
    """
    checkout = _make_checkout(bench)
    results = {}
    for peer in bench.peers_in("git"):
        results[peer.name] = attempt(peer, "git status through sshfs",
                                     lambda peer=peer: _git_status(peer, bench, checkout)) or {}
    return table(f"git status in a checkout of {CHECKOUT_FILES:,} files through sshfs", results)


def _git(bench, folder, *arguments):
    (bench.folder / "home").mkdir(exist_ok=True)
    (bench.folder / "home/.gitconfig").write_text(
        "[safe]\n directory = *\n[user]\n name = Anna\n email = anna@example.org\n")
    return processes.run(["git", "-C", folder, *arguments], seconds=600, env=os.environ | {
        "HOME": str(bench.folder / "home"), "GIT_CONFIG_NOSYSTEM": "1"})


def _make_checkout(bench):
    checkout = bench.files / "checkout"
    for number in range(CHECKOUT_FILES):
        path = checkout / f"module{number // 50:03}/source{number:05}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {number}\n" * (number % 300 + 1))
    _git(bench, checkout, "init", "-q")
    _git(bench, checkout, "add", ".")
    _git(bench, checkout, "commit", "-q", "-m", "all")
    _git(bench, checkout, "gc", "-q")
    return checkout


def _git_status(peer, bench, checkout):
    client = Client(peer, bench.folder)
    results = {"upload of the checkout": measure(
        peer, lambda: client.batch(f"put -pR {checkout} checkout"))}
    with _mounted(peer, bench, "dcache_timeout=1") as folder:
        time.sleep(2)  # A file as new as the index is "racily clean", and read each time.
        for name in ("git status, all contents read", "git status, later"):
            results[name] = measure(peer, lambda: _expect_clean(bench, folder / "checkout"))
            time.sleep(2)  # What sshfs remembers is too old by then.
    return results


def _expect_clean(bench, checkout):
    printed = _git(bench, checkout, "status", "--porcelain").stdout
    if printed:
        raise processes.Failed(f"git sees changes: {printed[:200]}")
