"""The servers that are compared, each with its CPU seconds so far."""

import json
import os
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/end_to_end"))

from support import processes  # noqa: E402
from support.servers.minio import Minio, MinioServer  # noqa: E402
from support.servers.openssh import OpenSshServer  # noqa: E402
from support.servers.server import Server  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """User and system time of a process, its living descendants and the children it has waited for."""
    total = 0
    for each in {pid} | processes.children_of(pid):
        try:
            fields = pathlib.Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / TICKS


class Peer:
    """What the sections ask of each server."""

    not_in = frozenset()  # sections
    first_commands = ()  # of each batch of sftp
    client_options = {}  # more of ssh's

    def use_store(self, store_port, **more_settings):
        """Starts again with that store, if it has one, and with more settings than the defaults."""

    def database_cpu(self):
        return 0.0


class DelayProxy:
    def __init__(self, target_port, milliseconds, folder):
        self.port = processes.free_port()
        self._process = processes.Process(
            [sys.executable, pathlib.Path(__file__).with_name("delay_proxy.py"), str(self.port),
             str(target_port), str(milliseconds)], folder / f"proxy-{self.port}.log").start()
        self._process.wait_ready(lambda: processes.answers(self.port))

    def stop(self):
        self._process.stop()


class Shoebox(Peer, MinioServer):
    """`store_port`: MinIO's, or that of a proxy before it."""

    name = "Shoebox"

    def use_store(self, store_port, **more_settings):
        settings = self._settings() | self.extra_settings | more_settings
        settings["storage"] = self._store(settings["storage"], store_port)
        self.configuration.write_text(json.dumps(settings, indent=1))
        if self._process.running():
            self.stop_program()
        self.restart()

    def _store(self, settings, store_port):
        return settings | {"endpoint": f"http://127.0.0.1:{store_port}"}

    def cpu(self):
        return cpu_seconds(self.pid())

    def database_cpu(self):
        return cpu_seconds(self.postgres.pid())

    def server_pid(self):
        return self.pid()

    def make_listing(self, folder, entries):
        """Empty files, straight in the database."""
        transport = self.transport()
        raw = self.raw_sftp(transport)
        raw.mkdir(folder)
        transport.close()
        self.query(f"""
            INSERT INTO nodes (account_id, parent_id, name, kind, mode, uid, gid, atime, mtime, ctime)
            SELECT d.account_id, d.id, 'IMG_' || lpad(n::text, 8, '0') || '.JPG', 'file', 420, d.uid,
                   d.gid, d.mtime, d.mtime, d.mtime
            FROM nodes d, generate_series(1, {entries}) n WHERE d.name = '{folder}'""")


class LocalShoebox(Shoebox):
    """With the store that quickstart has: the local disk. No MinIO takes part in its work."""

    name = "Shoebox, local disk"

    def _store(self, settings, store_port):
        return {"backend": "local", "directory": str(self.folder / "objects")}


class OpenSsh(Peer, OpenSshServer):
    """Its own sftp-server, on the local disk."""

    name = "OpenSSH, local disk"

    def restart(self):
        reaper = pathlib.Path(__file__).with_name("reaper.py")
        if reaper not in map(pathlib.Path, self._process.arguments):
            self._process.arguments[:0] = [sys.executable, str(reaper)]
        super().restart()

    def cpu(self):
        return cpu_seconds(self.pid())

    def server_pid(self):
        return self.pid()

    def make_listing(self, folder, entries):
        (self.home_folder / folder).mkdir()
        for number in range(1, entries + 1):
            (self.home_folder / folder / f"IMG_{number:08}.JPG").touch()


def rclone_environment(store_port):
    """With a remote `box`: a MinIO on that port."""
    # AWS's own variables would reach into rclone's S3 client.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_BOX_TYPE": "s3",
        "RCLONE_CONFIG_BOX_PROVIDER": "Minio", "RCLONE_CONFIG_BOX_ENV_AUTH": "false",
        "RCLONE_CONFIG_BOX_ACCESS_KEY_ID": "minioadmin",
        "RCLONE_CONFIG_BOX_SECRET_ACCESS_KEY": "minioadmin",
        "RCLONE_CONFIG_BOX_ENDPOINT": f"http://127.0.0.1:{store_port}"}


def fill_bucket(minio, place, entries, source):
    """Empty files as objects below BUCKET/FOLDER. `source`: a folder to make them in."""
    source.mkdir()
    for number in range(1, entries + 1):
        (source / f"IMG_{number:08}.JPG").touch()
    processes.run(["rclone", "copy", source, f"box:{place}", "--transfers", "32",
                   "--s3-no-check-bucket"], env=rclone_environment(minio.port), seconds=600)
    shutil.rmtree(source)


class Rclone(Peer, Server):
    """`rclone serve sftp` on a bucket, without its write-back cache: done means stored."""

    name = "rclone serve sftp, MinIO"
    kind = "rclone"
    is_shoebox = False
    not_in = frozenset({"listing", "reads", "git"})
    cache_options = ("--vfs-cache-mode", "off")

    def __init__(self, minio: Minio, public_key_file):
        super().__init__()
        self.minio, self._process = minio, None
        (minio.folder / "rclone").mkdir(exist_ok=True)
        processes.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / "host"])
        shutil.copy(public_key_file, self.folder / "keys")  # Read at the start only.

    def start(self):
        self.use_store(self.minio.port)
        return self

    def use_store(self, store_port, **more_settings):
        if self._process is not None:
            self._process.stop()
        self._process = processes.Process(
            ["rclone", "serve", "sftp", "box:rclone", "--addr", f"127.0.0.1:{self.port}", "--key",
             self.folder / "host", "--authorized-keys", self.folder / "keys",
             *self.cache_options, "--cache-dir", self.folder / "cache", "--dir-cache-time", "1s",
             "--use-server-modtime"],  # Else a listing needs a HEAD for each entry.
            self.folder / "rclone.log", env=rclone_environment(store_port)).start()
        self._process.wait_ready(lambda: processes.answers(self.port))

    def stop(self):
        if self._process is not None:
            self._process.stop()

    def add_key(self, name, public_key_file):
        pass  # The constructor has it.

    def cpu(self):
        return cpu_seconds(self._process.pid)

    def server_pid(self):
        return self._process.pid

    def make_listing(self, folder, entries):
        fill_bucket(self.minio, f"rclone/{folder}", entries, self.folder / "listing")


class CachingRclone(Rclone):
    """The same with a cache on the local disk: done means written there, the store comes later."""

    name = "rclone with its full cache, MinIO"
    not_in = Rclone.not_in | {"stat", "idle"}
    # At once, so that sending counts as CPU time of the operation.
    cache_options = ("--vfs-cache-mode", "full", "--vfs-write-back", "0s")


class MinioSftp(Peer, Server):
    """The SFTP server that MinIO brings: no network between it and its store, on the local disk."""

    name = "MinIO's own SFTP, local disk"
    kind = "minio-sftp"
    is_shoebox = False
    not_in = frozenset({"listing", "stat", "reads", "git", "idle"})
    first_commands = ("cd shoebox",)  # A bucket.

    def __init__(self, public_key_file):
        super().__init__()
        self.user = "minioadmin"
        for name in ("host", "authority"):
            processes.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / name])
        # It knows keys by certificates only.
        shutil.copy(public_key_file, self.folder / "client.pub")
        processes.run(["ssh-keygen", "-q", "-s", self.folder / "authority", "-I", "benchmark", "-n",
                       self.user, self.folder / "client.pub"])
        self.client_options = {"CertificateFile": f"{self.folder}/client-cert.pub"}
        self.minio = Minio(self.folder / "store", [
            "--sftp", f"address={self.host}:{self.port}",
            "--sftp", f"ssh-private-key={self.folder / 'host'}",
            "--sftp", f"trusted-user-ca-key={self.folder / 'authority.pub'}"])

    def start(self):
        self.minio.start()
        return self

    def stop(self):
        self.minio.stop()

    def add_key(self, name, public_key_file):
        pass  # The constructor has it.

    def cpu(self):
        return cpu_seconds(self.minio.pid())

    def server_pid(self):
        return self.minio.pid()

    def make_listing(self, folder, entries):
        fill_bucket(self.minio, f"shoebox/{folder}", entries, self.folder / "listing")
