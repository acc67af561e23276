"""Programs that torment a disk, on a mount: fio with checksums, and random operations as fsx does them."""

import mmap
import os
import random

import pytest

from support import processes
from support.content import content, digest

pytestmark = pytest.mark.fuse

SIZE_MAX = 600_000


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


class Exerciser:
    """One file on the mount and what it should contain; each method is an operation on both."""

    def __init__(self, path, seed):
        self.path, self.random, self.expected = path, random.Random(seed), bytearray()
        self.file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)

    def place(self):
        offset = self.random.randrange(SIZE_MAX)
        return offset, min(self.random.choice([1, 100, 4096, 33_000, 140_000]), SIZE_MAX - offset)

    def bytes_for(self, length):
        return content(length, self.random.random())

    def put(self, offset, piece):
        if offset > len(self.expected):
            self.expected.extend(bytes(offset - len(self.expected)))
        self.expected[offset:offset + len(piece)] = piece

    def write(self):
        offset, length = self.place()
        piece = self.bytes_for(length)
        assert os.pwrite(self.file, piece, offset) == length
        self.put(offset, piece)

    def append(self):
        piece = self.bytes_for(self.place()[1])
        if len(self.expected) + len(piece) <= SIZE_MAX:
            assert os.pwrite(self.file, piece, len(self.expected)) == len(piece)
            self.put(len(self.expected), piece)

    def read(self):
        offset, length = self.place()
        assert os.pread(self.file, length, offset) == self.expected[offset:offset + length]

    def truncate(self):
        size = self.random.choice([0, len(self.expected) // 2, self.random.randrange(SIZE_MAX)])
        os.ftruncate(self.file, size)
        del self.expected[size:]
        self.put(size, b"")

    def map_write(self):
        if not self.expected:
            return
        with mmap.mmap(self.file, len(self.expected)) as mapped:
            offset = self.random.randrange(len(self.expected))
            piece = self.bytes_for(min(5000, len(self.expected) - offset))
            mapped[offset:offset + len(piece)] = piece
            mapped.flush()
        self.put(offset, piece)

    def map_read(self):
        if self.expected:
            with mmap.mmap(self.file, len(self.expected), prot=mmap.PROT_READ) as mapped:
                assert mapped[:] == self.expected

    def sync(self):
        os.fsync(self.file)

    def reopen(self):
        os.close(self.file)
        assert os.stat(self.path).st_size == len(self.expected)
        self.file = os.open(self.path, os.O_RDWR)

    def run(self, operations):
        steps = [self.write] * 5 + [self.read] * 5 + [self.append, self.truncate, self.map_write,
                                                      self.map_read, self.sync, self.reopen]
        for number in range(operations):
            step = self.random.choice(steps)
            try:
                step()
            except AssertionError as failure:
                raise AssertionError(f"operation {number}, {step.__name__}") from failure
        self.reopen()
        os.close(self.file)


@pytest.mark.parametrize("seed,operations", [
    *((seed, 400) for seed in range(4)),
    *(pytest.param(seed, 20_000, marks=pytest.mark.slow) for seed in range(100, 104))])
def test_random_operations_on_a_mounted_file(mount, remote, raw, seed, operations):
    exerciser = Exerciser(mount / "file", seed)
    exerciser.run(operations)
    assert digest(raw.get(f"{remote}/file")) == digest(exerciser.expected)
