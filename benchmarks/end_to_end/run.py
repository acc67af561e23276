#!/usr/bin/python3
"""Measures Shoebox beside its peers, on this machine, in one run.

    SHOEBOX_PROGRAM=build/release/shoebox benchmarks/end_to_end/run.py [options]

Prints wall seconds and the server's CPU seconds of what users wait for, and Shoebox's ratios to the
peers. Needs root (for OpenSSH's throwaway user), MinIO, rclone, PostgreSQL's server programs; for
some sections sshfs, fio and git.
"""

import argparse
import dataclasses
import datetime
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import crowds
import mounts
import peers  # noqa: F401  (finds tests/end_to_end/support)
import requests_of_names
import transfers
from peers import CachingRclone, LocalShoebox, MinioSftp, OpenSsh, Rclone, Shoebox
from support import processes
from support.content import content

RESULTS = pathlib.Path(__file__).resolve().parents[1] / "results"

# Each returns Markdown. They follow each other in this order, and none needs another.
SECTIONS = {
    "store": transfers.store_tables,
    "client": transfers.client_table,
    "listing": requests_of_names.listing_table,
    "stat": requests_of_names.stat_table,
    "huge": requests_of_names.huge_table,
    "reads": mounts.read_table,
    "git": mounts.git_table,
    "idle": crowds.idle_table,
    "crowd": crowds.transfer_table,
}


@dataclasses.dataclass
class Bench:
    """What the sections share. The first peer is Shoebox, which brings MinIO."""
    options: argparse.Namespace
    folder: pathlib.Path
    peers: list

    def peers_in(self, section):
        return [peer for peer in self.peers if section not in peer.not_in]

    @property
    def files(self):
        return self.folder / "files"

    @property
    def minio(self):
        return self.peers[0].minio


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), platform.processor())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)

    def first_line(*command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return ((done.stdout + done.stderr).strip().splitlines() or ["unknown"])[0]
    load = os.getloadavg()[0]
    return "\n".join([
        f"- {datetime.date.today()}. Machine: {model}, {os.cpu_count()} cores, "
        f"{memory:.0f} GB memory, Linux {platform.release()}; load before the run {load:.1f}",
        f"- {first_line('ssh', '-V')}; {first_line('rclone', 'version')}; "
        f"{first_line(str(processes.TOOLS / 'bin/minio'), '--version')}",
        f"- Shoebox: {first_line(os.environ['SHOEBOX_PROGRAM'], '--version')}, "
        f"commit {first_line('git', '-C', str(RESULTS.parent), 'rev-parse', '--short', 'HEAD')}",
        "- Clients, servers, stores and databases share the machine; where nothing else is said "
        "the client is OpenSSH's sftp with AES-GCM. CPU is the server's; `+` is PostgreSQL's. "
        "MinIO's is not counted."]) + "\n"


def make_files(files, options):
    (files / "many").mkdir(parents=True)
    for number in range(500):
        (files / f"many/IMG_{number:04}.JPG").write_bytes(content(10_000, number))
    for name, size in (("large", options.size_mib), ("quarter", 256)):
        with open(files / name, "wb") as file:
            for number in range(size):
                file.write(content(1 << 20, number % 37)[number:] + bytes(number % 251))
            file.truncate(size << 20)


def start_peers(bench):
    """Fills `bench.peers` one by one, so that the caller can stop them whatever happens."""
    folder, wanted = bench.folder, bench.options.peers
    bench.peers.append(LocalShoebox() if bench.options.store == "local" else Shoebox())
    bench.peers[0].start()
    make = {"openssh": OpenSsh,
            "rclone": lambda: Rclone(bench.minio, folder / "key.pub"),
            "rclone-full": lambda: CachingRclone(bench.minio, folder / "key.pub"),
            "minio": lambda: MinioSftp(folder / "key.pub")}
    for name in wanted:
        bench.peers.append(make[name]())
        bench.peers[-1].start()
    for peer in bench.peers:
        peer.add_key(peer.user, folder / "key.pub")
        if {"store", "stat"} & set(bench.options.sections) - peer.not_in:
            peer.make_listing("listing", 10_000)


def run_section(name, bench):
    print(f"{name}:", file=sys.stderr, flush=True)
    try:
        return SECTIONS[name](bench)
    except Exception as failure:  # The others can still be measured.
        print(f"  {name} failed: {failure}", file=sys.stderr)
        reason = str(failure).splitlines()[0] if str(failure) else type(failure).__name__
        return f"### {name}\n\nNot measured: {reason}\n"


def run(bench, report):
    """Calls `report` with each piece of Markdown as soon as there is one."""
    begun = time.monotonic()
    make_files(bench.files, bench.options)
    processes.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", bench.folder / "key"])
    report(machine())
    try:
        start_peers(bench)
        for name in bench.options.sections:
            report(run_section(name, bench))
    finally:
        for peer in reversed(bench.peers):
            peer.discard()
    report(f"The run took {(time.monotonic() - begun) / 60:.0f} minutes; "
           f"load after it {os.getloadavg()[0]:.1f}.\n")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="*", default=list(SECTIONS), choices=list(SECTIONS),
                        metavar="SECTION", help=f"which to run, of: {' '.join(SECTIONS)}")
    parser.add_argument("--size-mib", type=int, default=1024, help="of the large file")
    parser.add_argument("--repeat", type=int, default=1,
                        help="times for `store`; the median counts")
    parser.add_argument("--latencies-ms", type=float, nargs="*", default=[0, 30],
                        help="added between servers and store, a table each")
    parser.add_argument("--client-latency-ms", type=float, default=100,
                        help="round trip of the distant client")
    parser.add_argument("--entries", type=int, default=100_000, help="of the long directory")
    parser.add_argument("--huge-entries", type=int, default=1_000_000, help="of the huge one")
    parser.add_argument("--sessions", type=int, default=1000, help="that are idle")
    parser.add_argument("--crowd-mib", type=int, default=32, help="of each transfer of a crowd")
    parser.add_argument("--peers", nargs="*", default=["openssh", "rclone"],
                        choices=["openssh", "rclone", "rclone-full", "minio"])
    parser.add_argument("--store", default="minio", choices=["minio", "local"],
                        help="Shoebox's; with `local` what it is beside OpenSSH on the same disk")
    parser.add_argument("--write", metavar="NAME", help="also write results/YYYY-MM-DD-NAME.md")
    return parser.parse_args()


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # So that the servers are stopped.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="shoebox-benchmark-"))
    target = None
    if options.write:
        RESULTS.mkdir(exist_ok=True)
        target = RESULTS / f"{datetime.date.today()}-{options.write}.md"
        target.write_text(f"# End to end: {options.write}\n\n`{' '.join(sys.argv)}`\n")

    def report(piece):
        print(piece, flush=True)
        if target:
            with open(target, "a", encoding="utf-8") as file:
                file.write(f"\n{piece}")
    try:
        run(Bench(options, folder, []), report)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
