#include "metadata/database.h"
#include "metadata/names/node_cache.h"
#include "sftpd/metrics/table.h"

namespace sftpd::metrics {
namespace {

using enum prometheus::MetricType;

constexpr std::size_t operations = StoreCounts::operation_names.size();
constexpr std::size_t statuses = StoreCounts::status_names.size();

template <auto member>
void read_by_status(const Sources& from, Samples& to) {
  for (std::size_t i = 0; i < operations; ++i) {
    for (std::size_t j = 0; j < statuses; ++j) {
      to.add((from.store.of(i).*member)[j], {{"operation", StoreCounts::operation_names[i]},
                                             {"status", StoreCounts::status_names[j]}});
    }
  }
}

template <auto member>
void read_by_operation(const Sources& from, Samples& to) {
  for (std::size_t i = 0; i < operations; ++i) {
    to.add(from.store.of(i).*member, {{"operation", StoreCounts::operation_names[i]}});
  }
}

metadata::NodeCache::Counts names(const Sources& from) {
  return from.files.database().node_cache().counts();
}

storage::s3::S3ObjectStore::Load load(const Sources& from) {
  return from.s3 != nullptr ? from.s3->load() : storage::s3::S3ObjectStore::Load{};
}

using OfStore = StoreCounts::OfOperation;

constexpr Metric table[] = {
    {"shoebox_store_requests_total", Counter,
     "Requests to the object store that ended, by the status of the last attempt.",
     read_by_status<&OfStore::finished>},
    {"shoebox_store_failures_total", Counter, "Those that failed, after all attempts.",
     read_by_operation<&OfStore::failed>},
    {"shoebox_store_retries_total", Counter,
     "Attempts that failed and were repeated, by their status.", read_by_status<&OfStore::retried>},
    {"shoebox_store_request_seconds", Histogram,
     "Duration of a request to the store, with waiting and all attempts.",
     read_by_operation<&OfStore::latencies>},
    {"shoebox_store_sent_bytes_total", Counter, "Bytes of bodies sent to the store.",
     [](const Sources& from, Samples& to) { to.add(from.store.sent_bytes); }},
    {"shoebox_store_received_bytes_total", Counter, "Bytes of bodies that came from the store.",
     [](const Sources& from, Samples& to) { to.add(from.store.received_bytes); }},
    {"shoebox_store_requests_waiting", Gauge, "Requests that wait for a connection to the store.",
     [](const Sources& from, Samples& to) { to.add(load(from).waiting); }},
    {"shoebox_store_requests_active", Gauge, "Requests that have one.",
     [](const Sources& from, Samples& to) { to.add(load(from).active); }},

    {"shoebox_database_connections_in_use", Gauge, "Database connections that do something.",
     [](const Sources& from, Samples& to) { to.add(from.files.database().load().in_use); }},
    {"shoebox_database_connections_limit", Gauge, "How many there may be.",
     [](const Sources& from, Samples& to) {
       to.add(from.files.database().load().connections_max);
     }},
    {"shoebox_database_waiting", Gauge, "Calls that wait for a database connection.",
     [](const Sources& from, Samples& to) { to.add(from.files.database().load().waiting); }},
    {"shoebox_database_connected_total", Counter, "Connections made to the database.",
     [](const Sources& from, Samples& to) { to.add(from.database.connected); }},
    {"shoebox_database_lost_total", Counter, "Connections to the database that broke.",
     [](const Sources& from, Samples& to) { to.add(from.database.lost); }},
    {"shoebox_database_retries_total", Counter,
     "Transactions that were repeated, after a conflict or a broken connection.",
     [](const Sources& from, Samples& to) { to.add(from.database.retried); }},

    {"shoebox_names_trusted", Gauge, "1 while names are looked up in memory first.",
     [](const Sources& from, Samples& to) { to.add(names(from).trusted ? 1 : 0); }},
    {"shoebox_names_remembered", Gauge, "Names in memory.",
     [](const Sources& from, Samples& to) { to.add(names(from).names); }},
    {"shoebox_names_hits_total", Counter, "Paths that were followed without the database.",
     [](const Sources& from, Samples& to) { to.add(names(from).hits); }},
    {"shoebox_names_misses_total", Counter, "Others, while names were looked up in memory.",
     [](const Sources& from, Samples& to) { to.add(names(from).misses); }},
};

}  // namespace

std::span<const Metric> backend_metrics() { return table; }

}  // namespace sftpd::metrics
