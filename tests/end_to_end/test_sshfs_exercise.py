"""Programs that torment a disk, on a mount: fio with checksums, and fsx.

SHOEBOX_FSX_SEED and SHOEBOX_FSX_OPERATIONS choose another run of fsx.
"""

import os

import pytest

from support import mounts, processes
from support.content import digest
from support.servers.minio import tool
from support.sessions import connected

pytestmark = pytest.mark.fuse

SEED = int(os.environ.get("SHOEBOX_FSX_SEED", 1))
OPERATIONS = int(os.environ.get("SHOEBOX_FSX_OPERATIONS", 3000))
# fsx never unmaps what it read through a map, and so keeps open what it closes: a session has 1024 handles.
OPERATIONS_OF_A_RUN = 10_000


@pytest.mark.parametrize("pattern", ["write", "randwrite"])
def test_fio_finds_what_it_wrote(mount, tmp_path, pattern):
    """Each block carries a checksum and its place; fio reads all of them back after the writing."""
    processes.run(["fio", "--name=verified", f"--directory={mount}", f"--rw={pattern}", "--size=12m",
                   "--bsrange=4k-128k", "--bs_unaligned", "--verify=crc32c", "--verify_fatal=1",
                   "--do_verify=1", "--ioengine=psync", "--fsync=64", "--randseed=7",
                   "--fallocate=none", "--invalidate=0"], cwd=tmp_path, seconds=300)


def test_fio_reads_and_writes_by_several_jobs(mount, tmp_path):
    processes.run(["fio", "--name=mixed", f"--directory={mount}", "--rw=randrw", "--size=3m", "--bs=8k",
                   "--numjobs=4", "--verify=md5", "--verify_fatal=1", "--verify_backlog=32",
                   "--ioengine=psync", "--fallocate=none", "--invalidate=0"], cwd=tmp_path,
                  seconds=300)


# What sshfs cannot do has no weight: allocation, holes, copies inside the server.
WEIGHTS = {"close_open": 2, "read": 10, "write": 10, "truncate": 3, "fsync": 1, "fdatasync": 1,
           "sendfile": 3, "posix_fadvise": 2, "mapread": 0, "mapwrite": 0, "invalidate": 0}
MAPPED = WEIGHTS | {"mapread": 6, "mapwrite": 6, "invalidate": 2}


def fsx(folder, weights, seed, operations, *, size_max, operation_max, artifacts):
    """Its file, when fsx has always found in it what it should."""
    configuration = artifacts / "fsx.toml"
    configuration.write_text(f"flen = {size_max}\n[opsize]\nmax = {operation_max}\n[weights]\n" + "".join(
        f"{name} = {weight}\n" for name, weight in weights.items()))
    done = processes.run(
        [tool("fsx"), "-f", configuration, "-P", artifacts, "-S", str(seed),
         "-N", str(operations), folder / "fsx"], expect=None, seconds=60 + operations)
    # It prints first what it found, and last what it had done.
    output = done.output if len(done.output) < 12_000 else f"{done.output[:4000]}\n...\n{done.output[-8000:]}"
    assert done.status == 0, f"fsx -S {seed} -N {operations}\n{output}"
    return folder / "fsx"


def exercise(server, raw, remote, folder, weights, options, **sizes):
    """Runs fsx on a mount and, for what has to be there in the end, on the local disk."""
    with mounts.sshfs(server, remote, folder / "mount", *options) as mount:
        for begin in range(0, OPERATIONS, OPERATIONS_OF_A_RUN):
            seed, operations = SEED + begin, min(OPERATIONS - begin, OPERATIONS_OF_A_RUN)
            fsx(mount, weights, seed, operations, artifacts=folder, **sizes)
            expected = fsx(folder, weights, seed, operations, artifacts=folder, **sizes)
            assert digest(raw.get(f"{remote}/fsx")) == digest(expected)


@pytest.mark.parametrize("weights,options", [
    pytest.param(MAPPED, [], id="mapped"),
    # The kernel keeps nothing: each read comes from the server.
    pytest.param(WEIGHTS, ["direct_io"], id="direct")])
def test_fsx(server, raw, remote, tmp_path, weights, options):
    exercise(server, raw, remote, tmp_path, weights, options, size_max=300_000, operation_max=70_000)


@pytest.mark.shoebox
@pytest.mark.settings(part_size="5MiB", inline_max="4KiB")
def test_fsx_on_a_file_of_several_parts(own_server, tmp_path):
    transport, raw = connected(own_server)
    exercise(own_server, raw, "", tmp_path, WEIGHTS, ["direct_io"], size_max=12_000_000, operation_max=300_000)
    transport.close()
