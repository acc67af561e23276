#include "sftpd/jobs/follow_rates.h"

#include "metadata/repositories/users.h"

namespace sftpd::jobs {

Progress follow_rates(metadata::Database& database, limits::Bandwidth& bandwidth) {
  const auto users = bandwidth.users();
  if (users.empty()) return {};
  const auto all =
      database.query([&](metadata::Transaction& tx) { return metadata::Users(tx).rates(users); });
  Progress progress;
  for (const auto& [user, rates] : all) {
    if (bandwidth.change_user(user, rates)) ++progress.done;
  }
  return progress;
}

Job rates_job(metadata::Database& database, limits::Bandwidth& bandwidth) {
  constexpr std::chrono::seconds interval{3};
  const auto run = [&database, &bandwidth](const std::stop_token&) {
    return follow_rates(database, bandwidth);
  };
  return {.name = "follow-rates", .interval = interval, .run = run, .retry = interval};
}

}  // namespace sftpd::jobs
