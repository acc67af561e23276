"""restic: temporary names, posix-rename, 256 folders, thousands of names."""

import pytest

from support import processes
from support.content import content, photo_folder, times_of, tree_of, write_file


@pytest.fixture
def restic(server, remote):
    command = " ".join(["ssh", *server.ssh_options(), "-p", str(server.port),
                        server.spec().rstrip(":"), "-s", "sftp"])
    environment = server.environment() | {"RESTIC_PASSWORD": "of the repository"}

    def run(*arguments):
        return processes.run(
            ["restic", "-o", f"sftp.command={command}", "-r",
             f"sftp:{server.spec()}{remote}/repository", "--no-cache", *arguments],
            env=environment, seconds=240)
    return run


def test_backup_check_restore_and_prune(restic, tmp_path):
    photos = photo_folder(tmp_path / "photos")
    restic("init")
    restic("backup", photos)
    write_file(photos / "2024/new.jpg", content(500_000, "new"))
    restic("backup", photos)
    restic("check", "--read-data")
    restic("restore", "latest", "--target", tmp_path / "restored")
    restored = tmp_path / "restored" / photos.relative_to("/")
    assert tree_of(restored) == tree_of(photos) and times_of(restored) == times_of(photos)
    restic("forget", "--keep-last", "1", "--prune")
    restic("check")
