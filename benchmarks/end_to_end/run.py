#!/usr/bin/python3
"""Measures Shoebox beside its peers, on this machine, in one run.

    SHOEBOX_PROGRAM=build/release/shoebox benchmarks/end_to_end/run.py [options]

Prints wall seconds and the server's CPU seconds of what users wait for, and Shoebox's ratios to the
peers. Needs root (for OpenSSH's throwaway user), MinIO, rclone, PostgreSQL's server programs.
"""

import argparse
import collections
import datetime
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import peers
from peers import DelayProxy, OpenSsh, Rclone, Shoebox
from support import processes
from support.content import content

RESULTS = pathlib.Path(__file__).resolve().parents[1] / "results"
Measured = collections.namedtuple("Measured", "wall cpu database_cpu")


class Client:
    """OpenSSH's sftp, logged in by key, against one peer."""

    def __init__(self, peer, folder, port=None):
        self.peer, self.folder, self.port = peer, folder, port or peer.port

    def batch(self, *commands):
        script = self.folder / "batch"
        script.write_text("\n".join(commands) + "\n")
        return processes.run(
            ["sftp", "-F", "none", "-o", f"IdentityFile={self.folder}/key", "-o",
             "IdentitiesOnly=yes", "-o", "PreferredAuthentications=publickey", "-o",
             "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o",
             "LogLevel=ERROR", "-o", "Ciphers=aes128-gcm@openssh.com,aes256-gcm@openssh.com,"
             "aes128-ctr", "-P", str(self.port), "-b", script, f"{self.peer.user}@127.0.0.1"],
            seconds=3600)


def measure(peer, work):
    cpu, database = peer.cpu(), peer.database_cpu() if hasattr(peer, "database_cpu") else 0.0
    begun = time.monotonic()
    work()
    wall = time.monotonic() - begun
    processes.wait_until(lambda: settled(peer), "the server is quiet", 60, 0.2)
    return Measured(wall, peer.cpu() - cpu,
                    (peer.database_cpu() if hasattr(peer, "database_cpu") else 0.0) - database)


def settled(peer):
    """What a server does behind the answer counts as well: until its CPU time stands still."""
    before = peer.cpu()
    time.sleep(0.3)
    return peer.cpu() - before <= 0.01


def operations(client, files, options):
    """Name -> what to do. Each leaves what the next one needs."""
    def logins():
        for _ in range(20):
            client.batch("pwd")
    return {
        f"{options.size_mib} MiB up": lambda: client.batch(f"put {files}/large large"),
        f"{options.size_mib} MiB down": lambda: client.batch(f"get large {files}/back"),
        "rename of that file": lambda: client.batch("rename large renamed"),
        "500 files of 10 KB up": lambda: client.batch("mkdir many", "cd many",
                                                      f"put {files}/many/*"),
        "500 files of 10 KB down": lambda: client.batch("cd many", f"lcd {files}/many-back",
                                                        "get *"),
        "rename of their directory": lambda: client.batch("rename many moved"),
        "ls -l of 10,000 entries": lambda: client.batch("ls -ln listing"),
        "20 logins": logins,
    }


def clean_up(client, files):
    for path in ("back", "many-back"):
        shutil.rmtree(files / path, ignore_errors=True)
        (files / path).unlink(missing_ok=True)
    (files / "many-back").mkdir()
    client.batch("-rm renamed", "-rm large", "-rm moved/*", "-rmdir moved", "-rm many/*",
                 "-rmdir many")


def measure_peer(peer, folder, files, options):
    """Name -> the median of the repetitions, or the reason why there is none."""
    client, runs = Client(peer, folder), collections.defaultdict(list)
    for _ in range(options.repeat):
        clean_up(client, files)
        for name, work in operations(client, files, options).items():
            try:
                runs[name].append(measure(peer, work))
                print(f"  {peer.name}: {name}: {runs[name][-1].wall:.2f} s", file=sys.stderr)
            except processes.Failed as failure:
                print(f"  {peer.name}: {name} failed: {failure}", file=sys.stderr)
    clean_up(client, files)
    return {name: Measured(*(statistics.median(column) for column in zip(*measured)))
            for name, measured in runs.items()}


def long_way(peer, folder, files, options):
    """Transfers with a distant client."""
    proxy = DelayProxy(peer.port, options.client_latency_ms, folder)
    client, measured = Client(peer, folder, proxy.port), {}
    try:
        for name, command in (("256 MiB up", f"put {files}/quarter quarter"),
                              ("256 MiB down", f"get quarter {files}/back")):
            try:
                measured[name] = measure(peer, lambda line=command: client.batch(line))
                print(f"  {peer.name}: {name}, far away: {measured[name].wall:.2f} s",
                      file=sys.stderr)
            except processes.Failed as failure:
                print(f"  {peer.name}: {name} failed: {failure}", file=sys.stderr)
        client.batch("-rm quarter")
    finally:
        proxy.stop()
    return measured


def table(title, results):
    """Markdown: a row an operation, wall and CPU of each peer, ratios to the first."""
    first, *others = results
    lines = [f"### {title}", "",
             "| | " + " | ".join(f"{name}: wall s | CPU s" for name in results) + " | " +
             " | ".join(f"wall ÷ {name.split(',')[0]}" for name in others) + " |",
             "|---|" + "---:|" * (2 * len(results) + len(others))]
    for operation in results[first]:
        cells, ours = [], results[first].get(operation)
        for name in results:
            found = results[name].get(operation)
            cpu = "" if found is None else f"{found.cpu:.2f}"
            if found is not None and found.database_cpu >= 0.005:
                cpu += f" + {found.database_cpu:.2f}"
            cells += [f"{found.wall:.2f}" if found else "failed", cpu]
        for name in others:
            found = results[name].get(operation)
            cells.append(f"{ours.wall / found.wall:.2f}" if found and ours else "")
        lines.append(f"| {operation} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), platform.processor())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)

    def first_line(*command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    load = os.getloadavg()[0]
    return "\n".join([
        f"- Machine: {model}, {os.cpu_count()} cores, {memory:.0f} GB memory, "
        f"Linux {platform.release()}; load before the run {load:.1f}",
        f"- {first_line('ssh', '-V')}; {first_line('rclone', 'version')}; "
        f"{first_line(str(peers.processes.TOOLS / 'bin/minio'), '--version')}",
        f"- Shoebox: {first_line(os.environ['SHOEBOX_PROGRAM'], '--version')}, "
        f"commit {first_line('git', '-C', str(RESULTS.parent), 'rev-parse', '--short', 'HEAD')}",
        "- Clients, servers, stores and databases share the machine; the client is always "
        "OpenSSH's sftp with AES-GCM. CPU is the server's; `+` is PostgreSQL's. MinIO's is not "
        "counted."]) + "\n"


def make_files(files, options):
    (files / "many").mkdir(parents=True)
    for number in range(500):
        (files / f"many/IMG_{number:04}.JPG").write_bytes(content(10_000, number))
    for name, size in (("large", options.size_mib), ("quarter", 256)):
        with open(files / name, "wb") as file:
            for number in range(size):
                file.write(content(1 << 20, number % 37)[number:] + bytes(number % 251))
            file.truncate(size << 20)


def start_peers(folder, wanted, started):
    """Fills `started`, so that the caller can stop them whatever happens. Shoebox brings MinIO."""
    started.append(Shoebox())
    started[0].start()
    if "openssh" in wanted:
        started.append(OpenSsh())
        started[-1].start()
    if "rclone" in wanted:
        started.append(Rclone(started[0].minio, folder / "key.pub"))
        started[-1].start()
    for peer in started:
        peer.add_key(peer.user, folder / "key.pub")
        peer.make_listing("listing", 10_000)


def run(options, folder):
    files = folder / "files"
    make_files(files, options)
    processes.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"])
    started, parts = [], []
    try:
        start_peers(folder, options.peers, started)
        store_port, kept = started[0].minio.port, {}
        for milliseconds in options.latencies_ms:
            proxy = DelayProxy(store_port, milliseconds, folder) if milliseconds else None
            results = {}
            for peer in started:
                # The local disk is as far away as before.
                if isinstance(peer, OpenSsh) and peer.name in kept:
                    results[peer.name] = kept[peer.name]
                    continue
                peer.use_store(proxy.port if proxy else store_port)
                results[peer.name] = kept[peer.name] = measure_peer(peer, folder, files, options)
            parts.append(table(f"The store {milliseconds:g} ms away (added to each round trip)",
                               results))
            if proxy:
                proxy.stop()
        if options.client_latency_ms:
            for peer in started:
                peer.use_store(store_port)
            parts.append(table(f"The client {options.client_latency_ms:g} ms away",
                               {peer.name: long_way(peer, folder, files, options)
                                for peer in started}))
    finally:
        for peer in reversed(started):
            peer.discard()
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size-mib", type=int, default=1024, help="of the large file")
    parser.add_argument("--repeat", type=int, default=1, help="times; the median counts")
    parser.add_argument("--latencies-ms", type=float, nargs="*", default=[0, 30],
                        help="added between servers and store, a table each")
    parser.add_argument("--client-latency-ms", type=float, default=100,
                        help="round trip of the distant client; 0: leave this out")
    parser.add_argument("--peers", nargs="*", default=["openssh", "rclone"],
                        choices=["openssh", "rclone"])
    parser.add_argument("--write", metavar="NAME", help="also write results/YYYY-MM-DD-NAME.md")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # So that the servers are stopped.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="shoebox-benchmark-"))
    try:
        description = machine()
        report = f"{description}\n{run(options, folder)}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(report)
    if options.write:
        RESULTS.mkdir(exist_ok=True)
        target = RESULTS / f"{datetime.date.today()}-{options.write}.md"
        target.write_text(f"# End to end: {options.write}\n\n`{' '.join(sys.argv)}`\n\n{report}")


if __name__ == "__main__":
    main()
