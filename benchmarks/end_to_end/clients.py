"""OpenSSH's programs as clients, logged in by key: `sftp` in batches, `ssh -s sftp` for our own."""

import contextlib
import os
import subprocess

import peers  # noqa: F401  (finds tests/end_to_end/support)
from support import processes
from support.raw_sftp import RawSftp

CIPHERS = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr"


class Client:
    """For one peer. `folder` has the key; `port`: that of a proxy before the peer."""

    def __init__(self, peer, folder, port=None):
        self.peer, self.folder, self.port = peer, folder, port or peer.port

    def options(self):
        pairs = {"IdentityFile": f"{self.folder}/key", "IdentitiesOnly": "yes",
                 "PreferredAuthentications": "publickey", "StrictHostKeyChecking": "no",
                 "UserKnownHostsFile": "/dev/null", "LogLevel": "ERROR", "Ciphers": CIPHERS,
                 **self.peer.client_options}
        return [word for name, value in pairs.items() for word in ("-o", f"{name}={value}")]

    def batch(self, *commands, seconds=900):
        lines = [*self.peer.first_commands, *commands]
        return processes.run(self._sftp("-"), stdin="\n".join(lines) + "\n", seconds=seconds)

    def start_batch(self, name, commands, *options):
        """The same in the background; returns the process."""
        script = self.folder / f"batch-{name}"
        script.write_text("\n".join(commands) + "\n")
        return processes.Process(self._sftp(script, *options), self.folder / f"{name}.log").start()

    def _sftp(self, script, *options):
        return ["sftp", "-F", "none", *self.options(), *options, "-P", str(self.port), "-b", script,
                f"{self.peer.user}@127.0.0.1"]

    def channel(self):
        """The sftp subsystem behind a pipe: the cryptography is OpenSSH's, not Python's."""
        return PipeChannel(["ssh", "-F", "none", *self.options(), "-p", str(self.port), "-s",
                            f"{self.peer.user}@127.0.0.1", "sftp"])

    @contextlib.contextmanager
    def raw(self):
        """A connection with the tests' SFTP client on it."""
        channel = self.channel()
        try:
            yield RawSftp(channel)
        finally:
            channel.close()


class PipeChannel:
    """What RawSftp needs of a channel, on the pipes of a program."""

    def __init__(self, arguments):
        self._child = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, bufsize=0)

    def settimeout(self, seconds):
        pass

    def sendall(self, raw):
        view = memoryview(raw)
        while view:
            view = view[os.write(self._child.stdin.fileno(), view):]

    def recv(self, size):
        return os.read(self._child.stdout.fileno(), size)

    def close(self):
        self._child.stdin.close()
        self._child.stdout.close()
        self._child.terminate()
        self._child.wait()
