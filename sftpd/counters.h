#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

/// What parts of the server count about themselves, for sftpd/metrics to read at any time. All is
/// safe from any thread, waits for nothing and costs a few nanoseconds.
namespace sftpd {

/// Only grows.
class Counter {
 public:
  void add(std::uint64_t more = 1) { value_.fetch_add(more, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Goes up and down.
class Gauge {
 public:
  void add(std::int64_t change) { value_.fetch_add(change, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// How long things took, sorted into classes.
class Latencies {
 public:
  using Duration = std::chrono::nanoseconds;

  /// Upper bounds of the classes, in seconds: from an answer out of memory to a store that is asked
  /// again for a minute. What takes longer is in a class of its own.
  static constexpr std::array<double, 12> bounds{0.0005, 0.002, 0.005, 0.01, 0.025, 0.05,
                                                 0.1,    0.25,  1,     2.5,  10,    60};

  void add(Duration duration) {
    const double seconds = std::chrono::duration<double>(duration).count();
    std::size_t at = 0;
    while (at < bounds.size() && seconds > bounds[at]) ++at;
    classes_[at].add();
    nanoseconds_.add(static_cast<std::uint64_t>(duration.count() > 0 ? duration.count() : 0));
  }

  /// How many were in the class with the bound of that number; behind the last one the longer ones.
  std::uint64_t in_class(std::size_t number) const { return classes_[number].value(); }
  double seconds() const { return static_cast<double>(nanoseconds_.value()) * 1e-9; }

 private:
  std::array<Counter, bounds.size() + 1> classes_;
  Counter nanoseconds_;
};

}  // namespace sftpd
