"""The reference: OpenSSH's own server with a throwaway user. Needs root."""

import os
import pathlib
import subprocess

from support import processes
from support.servers.server import Server

CONFIGURATION = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/ssh_host_ed25519_key
HostKey {folder}/ssh_host_ecdsa_key
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication yes
KbdInteractiveAuthentication no
PermitRootLogin no
AuthorizedKeysFile {folder}/keys/%u
Subsystem sftp internal-sftp -l INFO
MaxStartups 200
MaxSessions 100
"""


class OpenSshServer(Server):
    kind = "openssh"
    is_shoebox = False

    def __init__(self, extra_settings=None):
        super().__init__(extra_settings)
        self.user = f"e2e{self.port}"
        self.home_folder = self.folder / "home"
        self._users, self._process = [], None
        for key_type in ("ed25519", "ecdsa"):
            processes.run(["ssh-keygen", "-q", "-t", key_type, "-N", "",
                           "-f", self.folder / f"ssh_host_{key_type}_key"])
        (self.folder / "keys").mkdir()
        (self.folder / "sshd_config").write_text(
            CONFIGURATION.format(port=self.port, folder=self.folder))

    def start(self):
        pathlib.Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.add_user(self.user, self.password)
        self._process = processes.Process(
            ["/usr/sbin/sshd", "-D", "-e", "-f", self.folder / "sshd_config"],
            self.folder / "sshd.log")
        self.restart()
        return self

    def restart(self):
        self._process.start()
        self._process.wait_ready(lambda: processes.answers(self.port))

    def stop_program(self):
        sessions = processes.children_of(self.pid())
        status = self._process.stop()
        for session in sessions:  # sshd leaves its sessions alive.
            try:
                os.kill(session, 9)
            except ProcessLookupError:
                pass
        return status

    def kill(self):
        self.stop_program()

    def stop(self):
        if self._process is not None and self._process.running():
            self.stop_program()
        for name in self._users:
            subprocess.run(["userdel", "-f", name], check=False, capture_output=True)

    def pid(self):
        return self._process.pid

    def logs(self):
        return {"sshd": self._process.log_text() if self._process else ""}

    def add_user(self, name, password, quota=None):
        home = self.home_folder if name == self.user else self.folder / f"home-{name}"
        home.mkdir()
        processes.run(["useradd", "--no-create-home", "--no-user-group", "--gid", "nogroup",
                       "--no-log-init", "--home-dir", home, "--shell", "/bin/sh", name])
        self._users.append(name)
        processes.run(["chpasswd"], stdin=f"{name}:{password}\n")
        processes.run(["chown", f"{name}:", home])

    def add_key(self, name, public_key_file):
        with open(self.folder / "keys" / name, "a", encoding="ascii") as keys:
            keys.write(pathlib.Path(public_key_file).read_text())
