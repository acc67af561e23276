"""What was read once comes from the local disk, also after a restart."""

import pytest

from support.content import content, write_file
from support.openssh_client import sftp

pytestmark = pytest.mark.minio


def gets(server):
    return server.logs()["shoebox"].count("GetObject")


@pytest.mark.settings(read_cache_directory="cache", log_level="debug")
def test_a_second_get_after_a_restart_fetches_nothing(own_server, tmp_path):
    files = {f"{name}.jpg": content(size, size) for name, size in
             (("a", 200_000), ("b", 1_000_000), ("c", 9_000_000))}
    for name, data in files.items():
        sftp(own_server, [f"put {write_file(tmp_path / name, data)} {name}"])
    for first in (True, False):
        own_server.stop_program()
        own_server.restart()
        before = gets(own_server)
        for name, data in files.items():
            sftp(own_server, [f"get {name} {tmp_path}/back"])
            assert (tmp_path / "back").read_bytes() == data
        assert (gets(own_server) > before) == first
    assert (own_server.folder / "cache").stat().st_mode & 0o777 == 0o700


@pytest.mark.settings(read_cache_directory="cache", read_cache_disk_max="4MiB")
def test_damaged_and_missing_cache_files_cost_nothing_but_time(own_server, tmp_path):
    data = content(3_000_000)
    sftp(own_server, [f"put {write_file(tmp_path / 'file', data)} file",
                      f"get file {tmp_path}/back"])
    own_server.kill()
    kept = [path for path in (own_server.folder / "cache").iterdir() if path.stat().st_size]
    assert kept
    for number, path in enumerate(kept):
        path.write_bytes(b"\0" * (path.stat().st_size - number % 2))
    own_server.restart()
    for _ in range(2):
        sftp(own_server, [f"get file {tmp_path}/back"])
        assert (tmp_path / "back").read_bytes() == data
    assert sum(path.stat().st_size for path in (own_server.folder / "cache").iterdir()) <= 4 << 20
