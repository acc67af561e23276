"""What every server under test can do."""

import os
import pathlib
import secrets
import shutil
import tempfile

import paramiko

from support import processes
from support.raw_sftp import RawSftp

USER = "anna"


class Server:
    """One server with everything that it needs, in a folder of its own, on free ports.

    `extra_settings`: keys of the configuration beyond what the kind of server sets itself, those of
    a section as "section.key".
    """

    kind = "?"
    is_shoebox = True

    def __init__(self, extra_settings=None):
        self.extra_settings = extra_settings or {}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"shoebox-e2e-{self.kind}-"))
        self.folder.chmod(0o755)  # The database and the test user must reach what is below.
        self.host, self.port = "127.0.0.1", processes.free_port()
        self.user, self.password = USER, "correct-" + secrets.token_hex(8)
        self.home_of_clients = self.folder / "clients"
        self.home_of_clients.mkdir()
        self.known_hosts = self.home_of_clients / "known_hosts"
        self.known_hosts.touch()
        self.password_file = self._write_secret("password", self.password)
        self.askpass = self._write_askpass(self.password)

    def with_extra(self, settings):
        """These settings with the extra ones laid over them."""
        for name, value in self.extra_settings.items():
            *section, key = name.split(".")
            place = settings.setdefault(section[0], {}) if section else settings
            place[key] = value
        return settings

    # --- life

    def start(self):
        raise NotImplementedError

    def stop(self):
        """Ends the server in good order, with all that it needs."""
        raise NotImplementedError

    def kill(self):
        """kill -9 of the program that answers SSH, and of nothing else."""
        raise NotImplementedError

    def kill_with_database(self):
        """kill -9 of that program and of all of its PostgreSQL, as a power cut does."""
        raise NotImplementedError

    def database_alone(self):
        """While the program is stopped: a context in which query() is answered."""
        raise NotImplementedError

    def restart(self):
        """Starts the program that answers SSH again after kill() or stop_program()."""
        raise NotImplementedError

    def stop_program(self):
        """SIGTERM to the program that answers SSH; returns its exit status."""
        raise NotImplementedError

    def discard(self):
        """Stops everything and removes its folder."""
        try:
            self.stop()
        finally:
            if not os.environ.get("SHOEBOX_E2E_KEEP"):
                shutil.rmtree(self.folder, ignore_errors=True)

    def pid(self):
        raise NotImplementedError

    def logs(self):
        """Each log by name, as text."""
        raise NotImplementedError

    def stored_keys(self):
        """Of all objects in the store."""
        raise NotImplementedError

    def stored_parts(self):
        """Files in the store of uploads that are neither completed nor aborted."""
        raise NotImplementedError

    # --- users

    def add_user(self, name, password, quota=None):
        raise NotImplementedError

    def add_key(self, name, public_key_file):
        raise NotImplementedError

    # --- connections from Python

    def transport(self, user=None, password=None, key=None):
        """A paramiko connection that is logged in."""
        transport = paramiko.Transport((self.host, self.port))
        transport.window_size = 4 << 20
        try:
            transport.start_client(timeout=30)
            if key is not None:
                transport.auth_publickey(user or self.user, key)
            else:
                transport.auth_password(user or self.user, password or self.password,
                                        fallback=False)
        except BaseException:
            transport.close()
            raise
        return transport

    def raw_sftp(self, transport, version=3):
        """A new channel of the connection, with our own client on it."""
        channel = transport.open_session()
        channel.invoke_subsystem("sftp")
        return RawSftp(channel, version)

    # --- for client programs

    def environment(self, askpass=None):
        """For ssh and its family: asks our script for the password, keeps away from ~."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        return kept | {
            "HOME": str(self.home_of_clients), "LC_ALL": "C.UTF-8",
            "SSH_ASKPASS": str(askpass or self.askpass), "SSH_ASKPASS_REQUIRE": "force"}

    def ssh_options(self):
        return ["-F", "none", "-o", "BatchMode=no", "-o", "NumberOfPasswordPrompts=1",
                "-o", "PreferredAuthentications=password",
                "-o", "StrictHostKeyChecking=accept-new",
                "-o", f"UserKnownHostsFile={self.known_hosts}",
                "-o", "GlobalKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]

    def spec(self, path=""):
        """USER@HOST:PATH."""
        return f"{self.user}@{self.host}:{path}"

    def askpass_for(self, password):
        return self._write_askpass(password)

    def _write_secret(self, name, secret):
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(secret + "\n")
        return path

    def _write_askpass(self, password):
        path = self.home_of_clients / f"askpass-{secrets.token_hex(4)}"
        path.write_text(f"#!/bin/sh\necho '{password}'\n")
        path.chmod(0o700)
        return path
