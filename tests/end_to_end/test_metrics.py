"""What Prometheus is told: every number that docs/metrics.md lists, and numbers that move with what clients do."""

import pathlib
import re
import threading
import urllib.error

import pytest

from support import processes
from support.content import content, write_file
from support.openssh_client import sftp
from support.processes import wait_until
from support.prometheus import scrape
from support.servers.minio import MinioServer
from support.sessions import connected

pytestmark = pytest.mark.minio

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs/metrics.md"
ROW = re.compile(r"^\| `(\w+)` \| (counter|gauge|histogram|summary) \|([^|]*)\|", re.MULTILINE)


class MeasuredServer(MinioServer):
    """With metrics, and small content moved to the store a second after it came."""

    def __init__(self, extra_settings=None):
        self.metrics_port = processes.free_port()
        super().__init__({"metrics.listen": f"127.0.0.1:{self.metrics_port}",
                          "destage_after": "1s"} | (extra_settings or {}))

    def metrics(self):
        return scrape(self.metrics_port)


@pytest.fixture(scope="module")
def measured():
    running = MeasuredServer()
    try:
        yield running.start()
    finally:
        running.discard()


@pytest.fixture
def own_measured(request):
    marker = request.node.get_closest_marker("settings")
    running = MeasuredServer(marker.kwargs if marker else None)
    try:
        yield running.start()
    finally:
        running.discard()


def test_the_document_lists_what_is_exported(measured):
    documented = {name: (kind, set(re.findall(r"`(\w+)`", labels)))
                  for name, kind, labels in ROW.findall(DOCUMENT.read_text())}
    measured.metrics()  # The HTTP library's own numbers begin with the first scrape.
    wait_until(lambda: "shoebox_inline_backlog_measured_seconds" in
               {name for name, _ in measured.metrics().samples}, "the backlog was measured", 60)
    now = measured.metrics()
    labels = {}
    for name, pairs in now.samples:
        family = name
        for suffix in ("_bucket", "_sum", "_count"):
            if now.types.get(name.removesuffix(suffix)) in ("histogram", "summary"):
                family = name.removesuffix(suffix)
        labels.setdefault(family, set()).update(label for label, _ in pairs)
    exported = {name: (kind, labels[name] - {"le", "quantile"}) for name, kind in now.types.items()}
    assert documented == exported
    assert set(now.helps) == set(now.types)
    for name, kind in now.types.items():
        assert (name.endswith("_total")) == (kind == "counter"), name


def test_there_is_nothing_else_at_that_port(measured):
    for path in ("/", "/metrics/../../etc/passwd", "/secret"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            scrape(measured.metrics_port, path)
        assert refused.value.code in (400, 404)


def test_connections_logins_and_sessions(measured):
    before = measured.metrics()
    transport, raw = connected(measured)
    with pytest.raises(Exception):
        measured.transport(password="wrong")
    during = measured.metrics()
    assert during.value("shoebox_connections_logged_in") == \
        before.value("shoebox_connections_logged_in") + 1
    assert during.value("shoebox_sftp_sessions") == before.value("shoebox_sftp_sessions") + 1
    for result in ("ok", "wrong_password"):
        assert during.value("shoebox_logins_total", result=result) == \
            before.value("shoebox_logins_total", result=result) + 1
    raw.hang_up()
    transport.close()
    wait_until(lambda: measured.metrics().value("shoebox_connections") == 0, "the client is gone")
    after = measured.metrics()
    assert after.value("shoebox_connections_logged_in") == 0
    assert after.value("shoebox_sftp_sessions") == 0
    assert after.value("shoebox_connections_accepted_total") == \
        before.value("shoebox_connections_accepted_total") + 2


def test_requests_and_bytes(measured, tmp_path):
    before = measured.metrics()
    data = content(9_000_000)
    sftp(measured, [f"put {write_file(tmp_path / 'large', data)} large", "ls -l large",
                    f"get large {tmp_path}/back", "-get missing"])
    assert (tmp_path / "back").read_bytes() == data
    wait_until(lambda: measured.metrics().value("shoebox_connections") == 0, "the client is gone")
    after = measured.metrics()

    def grown(metric, **labels):
        return after.value(metric, **labels) - before.value(metric, **labels)

    assert grown("shoebox_sftp_uploaded_bytes_total") == len(data)
    assert grown("shoebox_sftp_downloaded_bytes_total") == len(data)
    assert 1 <= grown("shoebox_network_received_bytes_total") / len(data) < 1.1
    assert 1 <= grown("shoebox_network_sent_bytes_total") / len(data) < 1.1
    assert grown("shoebox_store_sent_bytes_total") >= len(data)
    assert grown("shoebox_store_received_bytes_total") >= len(data)
    assert grown("shoebox_sftp_requests_total", operation="write", outcome="ok") >= 30
    assert grown("shoebox_sftp_requests_total", operation="read", outcome="ok") >= 30
    assert grown("shoebox_sftp_requests_total", outcome="refused") >= 1
    assert grown("shoebox_sftp_requests_total", outcome="failed") == 0
    for operation in ("open", "write", "read", "close"):
        assert grown("shoebox_sftp_request_seconds_count", operation=operation) == \
            grown("shoebox_sftp_requests_total", operation=operation)
    assert grown("shoebox_sftp_request_seconds_sum", operation="close") > 0
    stored = ("CreateMultipartUpload", "CompleteMultipartUpload", "UploadPart", "PutObject")
    assert sum(grown("shoebox_store_requests_total", operation=operation, status="2xx")
               for operation in stored) >= 1
    assert grown("shoebox_store_requests_total", operation="GetObject", status="2xx") >= 1
    assert grown("shoebox_read_cache_misses_total") >= 1
    assert grown("shoebox_read_cache_hits_total", tier="memory") >= 1
    assert grown("shoebox_read_cache_fetched_bytes_total", source="store") == len(data)
    assert 0 < after.value("shoebox_read_cache_bytes", tier="memory") <= \
        after.value("shoebox_read_cache_limit_bytes", tier="memory")
    assert after.value("shoebox_open_files") == 0


def test_open_files_and_memory_while_a_file_is_written(measured):
    transport, raw = connected(measured)
    handle = raw.open("/being-written", 0x02 | 0x08 | 0x10)
    for number in range(20):
        raw.write(handle, number * 200_000, content(200_000))
    during = measured.metrics()
    assert during.value("shoebox_open_files") == 1
    assert 4_000_000 <= during.value("shoebox_transfer_memory_bytes") <= \
        during.value("shoebox_transfer_memory_limit_bytes")
    raw.close(handle)
    raw.hang_up()
    transport.close()
    wait_until(lambda: measured.metrics().value("shoebox_transfer_memory_bytes") == 0,
               "the memory is given back")


@pytest.mark.settings(destage_after="1h")
def test_the_backlog_grows_with_small_uploads_and_falls_when_they_are_moved(own_measured):
    server = own_measured
    assert server.metrics().value("shoebox_inline_backlog_bytes") == 0
    transport, raw = connected(server)
    for number in range(20):
        raw.put(f"/{number}", content(10_000, number))
    transport.close()
    full = server.metrics()
    assert full.value("shoebox_inline_backlog_bytes") == 200_000
    assert full.value("shoebox_inline_backlog_limit_bytes") == 1 << 30
    assert full.value("shoebox_destaged_objects_total") == 0

    server.stop_program()
    settings = server.configuration.read_text().replace('"1h"', '"1s"')
    server.configuration.write_text(settings)
    server.restart()
    wait_until(lambda: server.metrics().value("shoebox_destaged_objects_total") == 20,
               "all of them are moved", 60)
    empty = server.metrics()
    assert empty.value("shoebox_destaged_bytes_total") == 200_000
    assert empty.value("shoebox_inline_backlog_bytes") == 0
    assert empty.value("shoebox_inline_backlog_oldest_seconds") >= 1
    assert empty.value("shoebox_inline_backlog_measured_seconds") >= 0
    assert empty.value("shoebox_job_done_total", job="destage") == 20
    assert empty.value("shoebox_job_last_success_timestamp_seconds", job="destage") > 1e9
    assert empty.value("shoebox_store_requests_total", operation="PutObject", status="2xx") == 20


@pytest.mark.settings(**{"storage.retry_for": "1s"})
def test_a_store_that_is_away_shows_as_retries_and_failures(own_measured):
    server = own_measured
    assert server.metrics().value("shoebox_store_retries_total") == 0
    transport, raw = connected(server)
    server.minio.kill()
    with pytest.raises(Exception):
        raw.put("/large", content(6_000_000), piece=200_000)
    away = server.metrics()
    assert away.value("shoebox_store_retries_total", status="none") > 0
    assert away.value("shoebox_store_failures_total") > 0
    assert away.value("shoebox_sftp_requests_total", outcome="failed") > 0
    server.minio.start()
    raw.put("/large", content(6_000_000), piece=200_000)
    assert raw.get("/large") == content(6_000_000)
    transport.close()


def test_lost_database_connections_are_counted(measured):
    transport, raw = connected(measured)
    raw.put("/file", b"content")
    before = measured.metrics()
    assert before.value("shoebox_database_connected_total") > 0
    measured.postgres.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
    assert raw.get("/file") == b"content"
    wait_until(lambda: measured.metrics().value("shoebox_database_connected_total") >
               before.value("shoebox_database_connected_total"), "it has connected again")
    assert measured.metrics().value("shoebox_database_connections_in_use") <= \
        measured.metrics().value("shoebox_database_connections_limit")
    transport.close()


@pytest.mark.settings(**{"bandwidth.user_download_max": "1M", "bandwidth.burst": "100ms"})
def test_waiting_for_bandwidth_is_counted(own_measured, tmp_path):
    server = own_measured
    assert server.metrics().value("shoebox_bandwidth_waits_total") == 0
    sftp(server, [f"put {write_file(tmp_path / 'file', content(2_000_000))} file",
                  f"get file {tmp_path}/back"])
    assert server.metrics().value("shoebox_bandwidth_waits_total", direction="download") > 0
    assert server.metrics().value("shoebox_bandwidth_waits_total", direction="upload") == 0


def test_scrapes_at_once_and_the_process(measured):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(measured.metrics()))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    now = answers[0]
    resident = processes.resident_bytes(measured.pid())
    assert 0.5 < now.value("process_resident_memory_bytes") / resident < 2
    assert 0 < now.value("process_open_fds") < now.value("process_max_fds")
    assert now.value("process_cpu_seconds_total") > 0
    assert now.value("process_start_time_seconds") > 1e9
    version = measured.command("--version").stdout.split()[-1]
    assert now.value("shoebox_build_info", version=version) == 1


def test_no_user_or_path_is_a_label(measured):
    transport, raw = connected(measured)
    raw.put("/a-secret-name", b"content")
    transport.close()
    for _, pairs in measured.metrics().samples:
        for _, value in pairs:
            assert "secret" not in value and measured.user not in value


def test_check_and_serve_say_when_the_port_cannot_be_had(measured):
    checked = measured.command("check")
    assert f"a Shoebox that runs serves them at 127.0.0.1:{measured.metrics_port}" in checked.output
    for listen, reason in ((f"127.0.0.1:{measured.port}", "Address already in use"),
                           ("192.0.2.1:9090", "Cannot assign requested address"),
                           ("localhost:9090", "no numeric address"),
                           ("127.0.0.1", "a port is missing")):
        settings = measured.configuration.read_text()
        other = measured.folder / "other.yaml"
        other.write_text(settings.replace(f"127.0.0.1:{measured.metrics_port}", listen)
                         .replace(f"127.0.0.1:{measured.port}\"\n ]", "127.0.0.1:0\"\n ]"))
        for command in ("check", "serve"):
            ended = processes.run([measured.program, command, "--config", other],
                                  expect="failure", seconds=60)
            assert reason in ended.output, ended.output


def test_it_stops_in_time_while_somebody_scrapes(own_measured):
    own_measured.metrics()
    assert own_measured.stop_program() == 0
    assert "stopped by force" not in own_measured.logs()["shoebox"]
