"""Fixtures: the server under test, a folder on it, and clients."""

import itertools
import re
import signal

import pytest

from support import mounts
from support.servers import KINDS

LOG_LENGTHS = pytest.StashKey()


def pytest_configure():
    """SIGTERM, as from `timeout`, ends the run with its fixtures: no server stays behind."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", 143))


def pytest_addoption(parser):
    parser.addoption("--server", choices=sorted(KINDS), default="quickstart",
                     help="what to test: Shoebox (quickstart, minio) or the reference (openssh)")
    parser.addoption("--slow", action="store_true", help="run the slow tests too")
    parser.addoption("--large", action="store_true", help="run the large tests, and no others")
    parser.addoption("--sanitized", action="store_true",
                     help="the program has sanitizers: leave out what measures its memory")


def pytest_collection_modifyitems(config, items):
    """Takes out what does not belong to this run: only what is meant to hold is run, and must."""
    kind, unwanted = config.getoption("--server"), []
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if (("slow" in marks and not config.getoption("--slow")) or
                ("large" in marks) != config.getoption("--large") or
                ("memory" in marks and config.getoption("--sanitized")) or
                ("shoebox" in marks and kind == "openssh") or
                ("minio" in marks and kind != "minio") or
                ("quickstart" in marks and kind != "quickstart")):
            unwanted.append(item)
    if unwanted:
        config.hook.pytest_deselected(items=unwanted)
        items[:] = [item for item in items if item not in unwanted]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        begun = item.stash.get(LOG_LENGTHS, {})
        for name, value in getattr(item, "funcargs", {}).items():
            if hasattr(value, "logs"):
                for log, text in value.logs().items():
                    new = text[begun.get(log, 0) if name == "server" else 0:]
                    report.sections.append((f"{name}: log of {log}", new[-6000:]))


@pytest.fixture(autouse=True)
def _remember_log_lengths(request, server):
    """A failing test shows what the shared server logged during it, not before."""
    request.node.stash[LOG_LENGTHS] = {log: len(text) for log, text in server.logs().items()}


@pytest.fixture(scope="session")
def server(request):
    """The server that most tests share."""
    running = KINDS[request.config.getoption("--server")]()
    try:
        yield running.start()
    finally:
        running.discard()


@pytest.fixture
def own_server(request):
    """A server of the test's own, which it may kill; `@pytest.mark.parametrize` or
    `settings(...)` passes extra settings."""
    marker = request.node.get_closest_marker("settings")
    running = KINDS[request.config.getoption("--server")](marker.kwargs if marker else None)
    try:
        yield running.start()
    finally:
        running.discard()


@pytest.fixture(scope="session")
def _shared_connection(server):
    state = {}

    def connect():
        if "transport" not in state or not state["transport"].is_active():
            state["transport"] = server.transport()
        return state["transport"]

    yield connect
    if "transport" in state:
        state["transport"].close()


@pytest.fixture
def raw(server, _shared_connection):
    """Our own SFTP client on a fresh channel: to send odd requests, and to check what others did."""
    client = server.raw_sftp(_shared_connection())
    yield client
    client.hang_up()


_numbers = itertools.count(1)


@pytest.fixture
def remote(raw, request):
    """The absolute path of an empty directory on the server, of this test alone."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", request.node.name)[:40].strip("-")
    home = raw.realpath(".").decode().rstrip("/")
    path = f"{home}/{next(_numbers)}-{name}"
    raw.mkdir(path)
    return path


@pytest.fixture
def mount(server, remote, tmp_path):
    """The test's directory, mounted with sshfs."""
    with mounts.sshfs(server, remote, tmp_path / "mount") as mounted:
        yield mounted
