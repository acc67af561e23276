#pragma once

#include "metadata/database.h"
#include "sftpd/jobs/scheduler.h"
#include "sftpd/limits/bandwidth.h"

namespace sftpd::jobs {

/// Asks the database how fast those who are connected may move their bytes, in one query: what
/// `shoebox user limit` changed holds for connections that are there already. Asks nothing while
/// nobody is connected.
Progress follow_rates(metadata::Database& database, limits::Bandwidth& bandwidth);

/// The same every few seconds, for a scheduler of its own: who waits for a new rate should not have
/// to wait for the store too. Both must outlive it.
Job rates_job(metadata::Database& database, limits::Bandwidth& bandwidth);

}  // namespace sftpd::jobs
