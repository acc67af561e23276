"""sshfs mounts that end with their test."""

import contextlib
import os
import pathlib

from support import processes


@contextlib.contextmanager
def sshfs(server, remote, folder, *options):
    """Mounts `remote` at `folder` while the context lasts; yields the folder."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    log = folder.parent / f"{folder.name}.sshfs.log"
    arguments = ["sshfs", "-f", "-p", str(server.port), server.spec(remote), folder]
    for option in [f"UserKnownHostsFile={server.known_hosts}", "StrictHostKeyChecking=accept-new",
                   "PreferredAuthentications=password", "NumberOfPasswordPrompts=1", *options]:
        arguments += ["-o", option]
    process = processes.Process(arguments, log, env=server.environment()).start()
    try:
        process.wait_ready(lambda: os.path.ismount(folder), 30)
        yield folder
    finally:
        if os.path.ismount(folder):
            processes.run(["fusermount3", "-u", "-z", folder], expect=None)
        processes.wait_until(lambda: not process.running(), "sshfs has ended", 30)
