"""File contents and trees for tests: the same ones in every run."""

import hashlib
import os
import pathlib
import random

AT_ONCE = 64 << 20  # it cannot make 256 MiB


def content(length, seed=1):
    """`length` bytes that compress badly and tell where they belong."""
    source = random.Random(f"{seed}/{length}")
    return b"".join(source.randbytes(min(AT_ONCE, length - at)) for at in range(0, length, AT_ONCE))


def digest(source):
    """SHA-256 of bytes or of a file at a path."""
    if isinstance(source, (bytes, bytearray)):
        return hashlib.sha256(source).hexdigest()
    hasher = hashlib.sha256()
    with open(source, "rb") as file:
        while piece := file.read(1 << 20):
            hasher.update(piece)
    return hasher.hexdigest()


def write_file(path, what, mtime=None):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(what if isinstance(what, bytes) else what.encode())
    if mtime is not None:
        os.utime(path, (mtime, mtime))
    return path


def photo_folder(root, photos=24):
    """A folder as cameras and people make it; returns its path."""
    root = pathlib.Path(root)
    for number in range(photos):
        day = root / f"2024/{number % 3 + 5:02}"
        write_file(day / f"IMG_{number:04}.JPG", content(1000 + number * 7919, number),
                   mtime=1_716_000_000 + number * 3600)
    write_file(root / "2024/05/Großmutter & Ich (Kopie).jpg", content(40_000, "umlaut"),
               mtime=1_500_000_001)
    write_file(root / "2024/06/日本 旅行.mov", content(700_000, "film"), mtime=1_600_000_001)
    write_file(root / "2024/.nomedia", b"", mtime=1_400_000_001)
    (root / "empty").mkdir(parents=True, exist_ok=True)
    return root


def tree_of(root):
    """What lies below a local path: relative path -> digest of a file, "directory", link's target."""
    root, tree = pathlib.Path(root), {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            tree[name] = "-> " + os.readlink(path)
        else:
            tree[name] = "directory" if path.is_dir() else digest(path)
    return tree


def times_of(root):
    """The whole seconds of the mtime of each file below a local path."""
    root = pathlib.Path(root)
    return {str(path.relative_to(root)): int(path.stat().st_mtime)
            for path in sorted(root.rglob("*")) if path.is_file()}
