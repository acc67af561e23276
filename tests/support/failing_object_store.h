#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "storage/object_store.h"

namespace test_support {

enum class Operation {
  put,
  get,
  head,
  remove,
  create_upload,
  upload_part,
  copy_part,
  complete_upload,
  abort_upload,
  list_uploads,
  list_parts,
  list,
};
inline constexpr std::size_t operation_count = 12;

enum class Fault {
  refuse,       ///< fails with `code`; the wrapped store is not asked
  lose_answer,  ///< the wrapped store does it, the caller gets `code`
  repeat,   ///< the wrapped store does it twice, as if it was sent again; the second answer counts
  delay,    ///< the answer comes `delay` later, from this store's thread
  hold,     ///< the answer comes at release(), from the thread that calls it
  corrupt,  ///< get: one bit of the answer is flipped
  cut_off,  ///< get: the second half of the answer is missing
};

/// A fault for `times` calls of an operation, after `skip` calls without it.
struct FaultRule {
  Operation operation = Operation::put;
  Fault fault = Fault::refuse;
  storage::ErrorCode code = storage::ErrorCode::unavailable;
  int skip = 0;
  int times = 1;
  std::chrono::milliseconds delay{0};
};

/// Another store with faults injected, by script (add) or by seed (fail_randomly). Safe to call
/// from any thread. Answers still held when it is destroyed are given then; those the wrapped store
/// still owes must have come before.
class FailingObjectStore final : public storage::ObjectStore {
 public:
  /// `inner` must outlive this.
  explicit FailingObjectStore(storage::ObjectStore& inner);
  ~FailingObjectStore() override;

  /// The first rule that fits a call decides.
  void add(FaultRule rule);
  /// Each call is refused, loses its answer, is repeated or has its body cut off with this
  /// probability, the same way for one seed.
  void fail_randomly(std::uint64_t seed, double probability,
                     storage::ErrorCode code = storage::ErrorCode::unavailable);
  /// No more faults; what is held stays held.
  void clear();

  /// Gives the answers held so far. Rules stay.
  void release();
  /// Waits until this many answers are held.
  void wait_until_held(std::size_t count);
  /// How often an operation was called, faults included.
  int calls(Operation operation) const;

  const storage::Limits& limits() const override { return inner_.limits(); }
  void stop(std::chrono::milliseconds grace) override { inner_.stop(grace); }
  std::optional<storage::StoreSpace> space() const override { return inner_.space(); }
  storage::Future<storage::ObjectInfo> put(const storage::ObjectKey& key, storage::Payload body,
                                           storage::PutOptions options) override;
  storage::Future<storage::Payload> get(const storage::ObjectKey& key,
                                        storage::ByteRange range) override;
  storage::Future<std::optional<storage::ObjectInfo>> head(const storage::ObjectKey& key) override;
  storage::Future<void> remove(const storage::ObjectKey& key) override;
  storage::Future<storage::UploadId> create_upload(const storage::ObjectKey& key,
                                                   storage::PutOptions options) override;
  storage::Future<storage::ETag> upload_part(const storage::ObjectKey& key,
                                             const storage::UploadId& upload,
                                             storage::PartPosition position,
                                             storage::Payload body) override;
  storage::Future<storage::ETag> copy_part(const storage::ObjectKey& key,
                                           const storage::UploadId& upload,
                                           storage::PartPosition position,
                                           const storage::ObjectKey& source,
                                           storage::ByteRange source_range) override;
  storage::Future<storage::ObjectInfo> complete_upload(const storage::ObjectKey& key,
                                                       const storage::UploadId& upload,
                                                       std::vector<storage::CompletedPart> parts,
                                                       const std::string& oid) override;
  storage::Future<void> abort_upload(const storage::ObjectKey& key,
                                     const storage::UploadId& upload) override;
  storage::Future<std::vector<storage::UploadId>> list_uploads(
      const storage::ObjectKey& key) override;
  storage::Future<std::vector<storage::CompletedPart>> list_parts(
      const storage::ObjectKey& key, const storage::UploadId& upload) override;
  storage::Future<storage::ListPage> list(const std::string& prefix,
                                          const std::string& next) override;

 private:
  using Clock = std::chrono::steady_clock;
  using Delivery = std::function<void()>;

  template <class T, class Call>
  storage::Future<T> run(Operation operation, Call call);
  std::optional<FaultRule> next_fault(Operation operation);
  Fault random_fault_locked(Operation operation);
  void deliver_later(const FaultRule& rule, Delivery deliver);
  void run_deliveries();

  storage::ObjectStore& inner_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<FaultRule> rules_;
  std::array<int, operation_count> calls_{};
  std::mt19937_64 random_;
  double probability_ = 0;
  storage::ErrorCode random_code_ = storage::ErrorCode::unavailable;
  std::vector<Delivery> held_;
  std::multimap<Clock::time_point, Delivery> delayed_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace test_support
