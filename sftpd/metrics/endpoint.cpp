#include "sftpd/metrics/endpoint.h"

#include <fmt/format.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "sftpd/metrics/listen_address.h"
#include "sftpd/metrics/table.h"

namespace sftpd::metrics {
namespace {

class Collector final : public prometheus::Collectable {
 public:
  explicit Collector(Sources sources) : sources_(std::move(sources)) {}
  std::vector<prometheus::MetricFamily> Collect() const override { return collect(sources_); }

 private:
  const Sources sources_;
};

ListenAddress parse(const std::string& listen) {
  try {
    return parse_listen_address(listen);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(fmt::format("metrics.listen: {}", error.what()));
  }
}

[[noreturn]] void fail(const std::string& listen, int reason) {
  throw std::runtime_error(
      fmt::format("metrics: cannot listen on {}: {}", listen, std::strerror(reason)));
}

/// The library does not say why it cannot listen: the reason is found out before it tries.
std::string expect_free(const std::string& listen) {
  if (const int failure = try_to_listen(parse(listen))) fail(listen, failure);
  return listen;
}

}  // namespace

class Endpoint::Impl {
 public:
  Impl(const std::string& listen, Sources sources)
      : collector_(std::make_shared<Collector>(std::move(sources))),
        exposer_(expect_free(listen), threads) {
    exposer_.RegisterCollectable(collector_);
  }

  std::uint16_t port() const {
    return static_cast<std::uint16_t>(exposer_.GetListeningPorts().at(0));
  }

 private:
  static constexpr std::size_t threads = 2;

  const std::shared_ptr<Collector> collector_;
  prometheus::Exposer exposer_;
};

Endpoint::Endpoint(const std::string& listen, Sources sources) {
  try {
    impl_ = std::make_unique<Impl>(listen, std::move(sources));
  } catch (const std::runtime_error&) {
    throw;
  } catch (const std::exception& failure) {
    throw std::runtime_error(
        fmt::format("metrics: cannot serve on {}: {}", listen, failure.what()));
  }
}

Endpoint::~Endpoint() = default;

std::uint16_t Endpoint::port() const { return impl_->port(); }

std::string check_listen(const std::string& listen) {
  const ListenAddress address = parse(listen);
  const int failure = try_to_listen(address);
  if (failure == 0) return fmt::format("{} is free", listen);
  if (failure == EADDRINUSE && is_served(address)) {
    return fmt::format("a Shoebox that runs serves them at {}", listen);
  }
  fail(listen, failure);
}

}  // namespace sftpd::metrics
