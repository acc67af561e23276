"""docs/semantics.md: bandwidth limits hold, follow changes, lose no byte and starve nobody."""

import json
import os
import secrets
import signal
import threading
import time

import pytest

from support import processes
from support.content import content
from support.raw_sftp import F_CREAT, F_TRUNC, F_WRITE
from support.sessions import assert_clean, connected

pytestmark = pytest.mark.shoebox

MIB = 1 << 20


class User:
    """A user of this test alone, with a command for their limits."""

    def __init__(self, server):
        self.server = server
        self.name, self.password = "user" + secrets.token_hex(4), secrets.token_hex(8)
        server.add_user(self.name, self.password)
        self.transports = []

    def limit(self, **rates):
        options = [word for name, rate in rates.items() for word in (f"--{name}", rate)]
        return self.server.command("user", "limit", self.name, *options).stdout

    def connect(self):
        """Our own client, on a connection of its own."""
        self.transports.append(self.server.transport(self.name, self.password))
        return self.server.raw_sftp(self.transports[-1])

    def hang_up(self):
        for transport in self.transports:
            transport.close()


@pytest.fixture
def user(server):
    made = User(server)
    yield made
    made.hang_up()


class Background(threading.Thread):
    """Work whose end and failure the test asks for."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.failure = work, None
        self.start()

    def run(self):
        try:
            self.work()
        except BaseException as failure:  # For finish(), which raises it in the test.
            self.failure = failure

    def finish(self, seconds=120):
        self.join(seconds)
        assert not self.is_alive(), "it should have ended by now"
        if self.failure:
            raise self.failure


def test_an_upload_takes_its_time(user):
    user.limit(upload="1M")
    client = user.connect()
    begun = time.monotonic()
    client.put("/file", content(4 * MIB))
    assert time.monotonic() - begun >= 2.5
    assert client.get("/file") == content(4 * MIB)


def test_a_download_takes_its_time(user):
    client = user.connect()
    client.put("/file", content(4 * MIB))
    user.hang_up()
    user.limit(download="1M")
    client = user.connect()
    begun = time.monotonic()
    assert client.get("/file") == content(4 * MIB)
    assert time.monotonic() - begun >= 2.5


def test_connections_of_a_user_share_the_rate(user):
    user.limit(upload="1M")
    clients = [user.connect() for _ in range(4)]
    begun = time.monotonic()
    uploads = [Background(lambda n=number, c=client: c.put(f"/{n}", content(MIB, n)))
               for number, client in enumerate(clients)]
    for upload in uploads:
        upload.finish()
    assert time.monotonic() - begun >= 2.5
    assert all(clients[0].get(f"/{n}") == content(MIB, n) for n in range(4))


def test_what_the_administrator_is_told(user):
    assert "upload 2.0 MiB/s, download no limit" in user.limit(upload="2M", download="none")
    assert "upload default, download no limit" in user.limit(upload="default")
    shown = user.server.command("user", "show", user.name).stdout
    assert "upload:   default" in shown and "download: no limit" in shown
    refused = user.server.command("user", "limit", user.name, "--upload", "5", expect=None)
    assert refused.status == 1 and "at least 1k" in refused.output
    wrong = user.server.command("user", "limit", user.name, "--upload", "fast", expect=None)
    assert wrong.status != 0


def test_a_running_upload_follows_the_users_limit(user):
    """At 16 KiB/s it would take 20 minutes."""
    user.limit(upload="16k")
    client = user.connect()
    upload = Background(lambda: client.put("/file", content(20 * MIB)))
    other = user.connect()
    processes.wait_until(lambda: other.exists("/file"), "the upload runs")
    user.limit(upload="0")
    upload.finish()
    assert other.get("/file") == content(20 * MIB)


def test_a_new_limit_holds_for_connections_that_are_there(own_server):
    user = User(own_server)
    client = user.connect()
    user.limit(upload="1M")
    processes.wait_until(lambda: "job=follow-rates count=1" in own_server.logs()["shoebox"],
                         "the server has seen it")
    begun = time.monotonic()
    client.put("/file", content(4 * MIB))
    assert time.monotonic() - begun >= 2.5
    user.hang_up()


@pytest.mark.parametrize("rate", ["4M", "none"])
def test_listings_go_on_beside_bulk_uploads(server, user, rate):
    """Four connections upload as fast as they may; one more of the same user, and one of another,
    list and stat all the time."""
    user.limit(upload=rate, download=rate)
    other_user = User(server)
    for looker in (user, other_user):
        client = looker.connect()
        client.mkdir("/folder")
        for number in range(20):
            client.put(f"/folder/{number}", b"x")
    uploading = threading.Event()
    uploading.set()
    counts = {}

    def look(name, client):
        while uploading.is_set():
            assert len(client.list("/folder")) == 20
            assert client.stat("/folder/7").size == 1
            counts[name] = counts.get(name, 0) + 1

    size = (5 if rate == "4M" else 24) * MIB
    what = content(size)
    # Logging in takes its time: all have done it before the first upload begins.
    uploaders = [user.connect() for _ in range(4)]
    watching = [("same", user.connect()), ("other", other_user.connect())]
    uploads = [Background(lambda n=number, c=client: c.put(f"/big{n}", what))
               for number, client in enumerate(uploaders)]
    lookers = [Background(lambda n=name, c=client: look(n, c)) for name, client in watching]
    try:
        for upload in uploads:
            upload.finish()
    finally:
        uploading.clear()
    for looker in lookers:
        looker.finish()
    assert min(counts["same"], counts["other"]) >= 10, counts
    reader = user.connect()
    assert all(reader.stat(f"/big{n}").size == size for n in range(4))
    assert reader.get("/big3") == what
    other_user.hang_up()


@pytest.mark.settings(bandwidth={"user_upload_max": "2k", "download_max": "2k"})
def test_the_server_stops_while_everybody_waits(own_server):
    transport, client = connected(own_server)
    handle = client.open("/file", F_WRITE | F_CREAT | F_TRUNC)
    upload = Background(lambda: client.write(handle, 0, content(200_000)))
    other, watcher = connected(own_server)
    processes.wait_until(lambda: watcher.stat("/file") is not None, "the upload runs")
    assert own_server.stop_program() == 0
    transport.close()
    other.close()
    upload.join(60)
    assert upload.failure is not None
    own_server.restart()
    transport, client = connected(own_server)
    assert content(200_000).startswith(client.get("/file"))
    transport.close()
    assert_clean(own_server)


def rewrite(server, **settings):
    """Changes the configuration file and asks the server to read it."""
    read = json.loads(server.configuration.read_text())
    server.configuration.write_text(json.dumps(read | settings))
    hang_up(server)


def hang_up(server):
    before = server.logs()["shoebox"].count("reloaded")
    os.kill(server.pid(), signal.SIGHUP)
    processes.wait_until(lambda: server.logs()["shoebox"].count("reloaded") > before,
                         "the server has looked at its settings")


@pytest.mark.minio
@pytest.mark.settings(bandwidth={"upload_max": "16k"})
def test_a_running_upload_follows_the_settings(own_server):
    """At 16 KiB/s it would take 20 minutes."""
    transport, client = connected(own_server)
    upload = Background(lambda: client.put("/file", content(20 * MIB)))
    other, watcher = connected(own_server)
    processes.wait_until(lambda: watcher.exists("/file"), "the upload runs")

    good = own_server.configuration.read_text()
    own_server.configuration.write_text("bandwidth: {upload_max: quick}\n")
    hang_up(own_server)
    assert "settings not reloaded" in own_server.logs()["shoebox"]
    assert upload.is_alive() and watcher.stat("/file").size < 10 * MIB

    own_server.configuration.write_text(good)
    rewrite(own_server, bandwidth={"upload_max": "0"})
    upload.finish()
    assert watcher.get("/file") == content(20 * MIB)

    rewrite(own_server, bandwidth={"upload_max": "1M"}, log_level="warning")
    begun = time.monotonic()
    client.put("/slow", content(4 * MIB))
    assert time.monotonic() - begun >= 2.5
    later, _ = connected(own_server)
    since = own_server.logs()["shoebox"].rpartition("settings reloaded")[2]
    assert "login" not in since, "the level is warning now"
    for connection in (transport, other, later):
        connection.close()
