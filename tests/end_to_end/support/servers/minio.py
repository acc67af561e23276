"""`shoebox serve` with a PostgreSQL and a MinIO of its own, as in production."""

import contextlib
import json
import os
import pathlib
import shutil

from support import processes
from support.servers.postgres import Postgres
from support.servers.server import Server


def tool(name):
    path = processes.TOOLS / "bin" / name
    return path if path.exists() else pathlib.Path(shutil.which(name) or path)


class Minio:
    """An S3 store on a folder. `arguments`: more of them for `minio server`."""

    def __init__(self, folder, arguments=()):
        self.folder, self.port = pathlib.Path(folder), processes.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._arguments, self._process = arguments, None

    def start(self):
        (self.folder / "shoebox").mkdir(parents=True, exist_ok=True)  # A folder is a bucket.
        environment = os.environ | {"MINIO_ROOT_USER": "minioadmin",
                                    "MINIO_ROOT_PASSWORD": "minioadmin",
                                    "MINIO_BROWSER": "off", "MINIO_UPDATE": "off"}
        self._process = processes.Process(
            [tool("minio"), "server", "--address", f"127.0.0.1:{self.port}", "--quiet",
             "--anonymous", *self._arguments, self.folder],
            self.folder.parent / "minio.log", env=environment).start()
        self._process.wait_ready(self._healthy)
        return self

    def stop(self):
        if self._process is not None:
            self._process.stop()

    def kill(self):
        self._process.kill()

    def pid(self):
        return self._process.pid

    def log_text(self):
        return self._process.log_text() if self._process else ""

    def keys(self):
        """Of all objects in the bucket: MinIO keeps each in a folder of its name."""
        bucket = self.folder / "shoebox"
        return {str(path.parent.relative_to(bucket)) for path in bucket.rglob("xl.meta")}

    def uploads(self):
        """Folders of uploads that are neither completed nor aborted."""
        return sorted((self.folder / ".minio.sys/multipart").glob("*/*"))

    def parts_of_uploads(self):
        """Files with their parts."""
        return [path for upload in self.uploads() for path in upload.rglob("part.*")]

    def _healthy(self):
        return processes.run(["curl", "-sf", "-o", "/dev/null", f"{self.url}/minio/health/live"],
                             expect=None).status == 0


class MinioServer(Server):
    kind = "minio"

    def __init__(self, extra_settings=None):
        super().__init__(extra_settings)
        self.program = os.environ["SHOEBOX_PROGRAM"]
        self.configuration = self.folder / "shoebox.yaml"
        self.postgres = Postgres(self.folder / "postgres")
        self.minio = Minio(self.folder / "minio")
        self._process = None
        self._write_secret("s3-secret", "minioadmin")
        for key_type in ("ed25519", "ecdsa"):
            processes.run(["ssh-keygen", "-q", "-t", key_type, "-N", "",
                           "-f", self.folder / f"ssh_host_{key_type}_key"])
        # JSON is YAML, and needs no library.
        self.configuration.write_text(json.dumps(self.with_extra(self._settings()), indent=1))

    def _settings(self):
        return {
            "listen": [f"{self.host}:{self.port}"],
            "host_keys": [str(self.folder / f"ssh_host_{name}_key") for name in ("ed25519", "ecdsa")],
            "database": {"url": self.postgres.url},
            "storage": {"backend": "s3", "endpoint": self.minio.url, "region": "us-east-1",
                        "bucket": "shoebox", "path_style": True, "access_key_id": "minioadmin",
                        "secret_access_key_file": str(self.folder / "s3-secret")}}

    def start(self):
        self.postgres.create()
        self.minio.start()
        self._process = processes.Process(
            [self.program, "serve", "--config", self.configuration], self.folder / "shoebox.log")
        self.restart()
        self.add_user(self.user, self.password)
        return self

    def restart(self):
        self._process.start()
        self._process.wait_ready(lambda: processes.answers(self.port))

    def stop_program(self):
        return self._process.stop()

    def kill(self):
        self._process.kill()

    def kill_with_database(self):
        self.kill()
        self.postgres.kill()
        self.postgres.start()

    def database_alone(self):
        return contextlib.nullcontext()

    def stop(self):
        try:
            if self._process is not None and self._process.running():
                self.stop_program()
        finally:
            try:
                self.minio.stop()
            finally:
                self.postgres.stop()

    def pid(self):
        return self._process.pid

    def logs(self):
        return {"shoebox": self._process.log_text() if self._process else "",
                "minio": self.minio.log_text(), "postgres": self.postgres.log_text()}

    def command(self, *arguments, stdin=None, expect=0, seconds=120):
        """`shoebox ARGUMENTS --config FILE`."""
        return processes.run([self.program, *arguments, "--config", self.configuration],
                             stdin=stdin, expect=expect, seconds=seconds)

    def add_user(self, name, password, quota=None):
        limits = [] if quota is None else ["--quota", str(quota)]
        self.command("user", "add", name, "--password-stdin", *limits, stdin=password + "\n")

    def add_key(self, name, public_key_file):
        self.command("user", "key", "add", name, str(public_key_file))

    def disable_user(self, name):
        self.command("user", "disable", name)

    def fsck(self):
        return self.command("fsck", expect=None, seconds=600)

    def stored_keys(self):
        return self.minio.keys()

    def stored_parts(self):
        return self.minio.parts_of_uploads()

    def query(self, sql):
        return self.postgres.query(sql)
