#include "sftpd/metrics/table.h"

namespace sftpd::metrics {
namespace {

using enum prometheus::MetricType;

void read_logins(const Sources& from, Samples& to) {
  const auto& logins = from.connections.logins;
  for (std::size_t i = 0; i < logins.size(); ++i) {
    const auto refusal = static_cast<auth::Refusal>(i);
    to.add(logins[i], {{"result", refusal == auth::Refusal::none ? "ok" : auth::name_of(refusal)}});
  }
}

void read_requests(const Sources& from, Samples& to) {
  for (const auto& operation : from.requests.all()) {
    for (std::size_t i = 0; i < sftp::outcome_names.size(); ++i) {
      to.add(operation.by_outcome[i],
             {{"operation", operation.name}, {"outcome", sftp::outcome_names[i]}});
    }
  }
}

void read_request_latencies(const Sources& from, Samples& to) {
  for (const auto& operation : from.requests.all()) {
    to.add(operation.latencies, {{"operation", operation.name}});
  }
}

constexpr Metric table[] = {
    {"shoebox_connections", Gauge, "SSH connections that are open.",
     [](const Sources& from, Samples& to) { to.add(from.connections.open); }},
    {"shoebox_connections_logged_in", Gauge, "Of them, those that have logged in.",
     [](const Sources& from, Samples& to) { to.add(from.connections.logged_in); }},
    {"shoebox_connections_accepted_total", Counter, "SSH connections that were accepted.",
     [](const Sources& from, Samples& to) { to.add(from.connections.opened); }},
    {"shoebox_connections_refused_total", Counter, "Connections closed at once: too many.",
     [](const Sources& from, Samples& to) { to.add(from.connections.refused); }},
    {"shoebox_logins_total", Counter, "Logins, by what came of them.", read_logins},
    {"shoebox_network_received_bytes_total", Counter, "Bytes that clients sent, SSH included.",
     [](const Sources& from, Samples& to) { to.add(from.connections.received_bytes); }},
    {"shoebox_network_sent_bytes_total", Counter, "Bytes sent to clients, SSH included.",
     [](const Sources& from, Samples& to) { to.add(from.connections.sent_bytes); }},
    {"shoebox_bandwidth_waits_total", Counter,
     "How often a channel had to wait for its turn because a rate was reached.",
     [](const Sources& from, Samples& to) {
       const auto waits = from.bandwidth.waits();
       to.add(waits.uploads, {{"direction", "upload"}});
       to.add(waits.downloads, {{"direction", "download"}});
     }},
    {"shoebox_sftp_sessions", Gauge, "SFTP sessions that are open.",
     [](const Sources& from, Samples& to) { to.add(from.requests.sessions); }},
    {"shoebox_sftp_requests_total", Counter, "SFTP requests, by what came of them.", read_requests},
    {"shoebox_sftp_request_seconds", Histogram,
     "Time from the arrival of an SFTP request to its answer.", read_request_latencies},
    {"shoebox_sftp_uploaded_bytes_total", Counter, "Bytes of files that clients wrote.",
     [](const Sources& from, Samples& to) { to.add(from.requests.uploaded_bytes); }},
    {"shoebox_sftp_downloaded_bytes_total", Counter, "Bytes of files that clients read.",
     [](const Sources& from, Samples& to) { to.add(from.requests.downloaded_bytes); }},
};

}  // namespace

std::span<const Metric> client_metrics() { return table; }

}  // namespace sftpd::metrics
