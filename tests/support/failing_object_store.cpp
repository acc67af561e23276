#include "tests/support/failing_object_store.h"

#include <type_traits>

namespace test_support {
namespace {

using namespace storage;

// Gives the answer of a future that is ready to a promise.
template <class T>
void forward(Future<T>& from, Promise<T>& to) {
  std::exception_ptr failure;
  if constexpr (std::is_void_v<T>) {
    try {
      from.get();
    } catch (...) {
      failure = std::current_exception();
    }
    if (!failure) to.set_value();
  } else {
    std::optional<T> value;
    try {
      value.emplace(from.get());
    } catch (...) {
      failure = std::current_exception();
    }
    if (value) to.set_value(std::move(*value));
  }
  if (failure) to.set_exception(failure);
}

std::exception_ptr injected(ErrorCode code) {
  return std::make_exception_ptr(Error(code, "injected fault"));
}

template <class T>
Future<T> with_lost_answer(Future<T> inner, ErrorCode code) {
  auto promise = std::make_shared<Promise<T>>();
  Future<T> future = promise->future();
  inner.on_ready([promise, code] { promise->set_exception(injected(code)); });
  return future;
}

/// The second call begins when the first is answered, whatever the answer is.
template <class T, class Call>
Future<T> done_twice(const Call& call) {
  auto promise = std::make_shared<Promise<T>>();
  Future<T> future = promise->future();
  Future<T> first = call();
  first.on_ready([promise, call] {
    Future<T> second = call();
    second.on_ready([promise, second]() mutable { forward(second, *promise); });
  });
  return future;
}

void flip_bit(std::vector<std::byte>& bytes) {
  if (!bytes.empty()) bytes[bytes.size() / 2] ^= std::byte{1};
}

void cut_off(std::vector<std::byte>& bytes) { bytes.resize(bytes.size() / 2); }

Future<Payload> changed(Future<Payload> inner, void (*change)(std::vector<std::byte>&)) {
  auto promise = std::make_shared<Promise<Payload>>();
  Future<Payload> future = promise->future();
  inner.on_ready([promise, inner, change]() mutable {
    try {
      const Payload payload = inner.get();
      std::vector<std::byte> bytes(payload.bytes().begin(), payload.bytes().end());
      change(bytes);
      promise->set_value(Payload(std::move(bytes)));
    } catch (const Error&) {
      promise->set_exception(std::current_exception());
    }
  });
  return future;
}

}  // namespace

FailingObjectStore::FailingObjectStore(ObjectStore& inner)
    : inner_(inner), thread_([this] { run_deliveries(); }) {}

FailingObjectStore::~FailingObjectStore() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
  release();
}

void FailingObjectStore::add(FaultRule rule) {
  std::lock_guard lock(mutex_);
  rules_.push_back(rule);
}

void FailingObjectStore::fail_randomly(std::uint64_t seed, double probability, ErrorCode code) {
  std::lock_guard lock(mutex_);
  random_.seed(seed);
  probability_ = probability;
  random_code_ = code;
}

void FailingObjectStore::clear() {
  std::lock_guard lock(mutex_);
  rules_.clear();
  probability_ = 0;
}

void FailingObjectStore::release() {
  std::vector<Delivery> released;
  {
    std::lock_guard lock(mutex_);
    released.swap(held_);
  }
  for (const auto& deliver : released) deliver();
}

void FailingObjectStore::wait_until_held(std::size_t count) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return held_.size() >= count; });
}

int FailingObjectStore::calls(Operation operation) const {
  std::lock_guard lock(mutex_);
  return calls_[static_cast<std::size_t>(operation)];
}

std::optional<FaultRule> FailingObjectStore::next_fault(Operation operation) {
  std::lock_guard lock(mutex_);
  ++calls_[static_cast<std::size_t>(operation)];
  for (auto& rule : rules_) {
    if (rule.operation != operation || rule.times == 0) continue;
    if (rule.skip > 0) {
      --rule.skip;
      continue;
    }
    --rule.times;
    return rule;
  }
  if (probability_ > 0 && std::uniform_real_distribution<double>(0, 1)(random_) < probability_) {
    return FaultRule{
        .operation = operation, .fault = random_fault_locked(operation), .code = random_code_};
  }
  return std::nullopt;
}

Fault FailingObjectStore::random_fault_locked(Operation operation) {
  static constexpr std::array faults{Fault::refuse, Fault::lose_answer, Fault::repeat,
                                     Fault::cut_off};
  const Fault fault = faults[random_() % faults.size()];
  return fault == Fault::cut_off && operation != Operation::get ? Fault::repeat : fault;
}

void FailingObjectStore::deliver_later(const FaultRule& rule, Delivery deliver) {
  std::lock_guard lock(mutex_);
  if (rule.fault == Fault::hold) {
    held_.push_back(std::move(deliver));
  } else {
    delayed_.emplace(Clock::now() + rule.delay, std::move(deliver));
  }
  changed_.notify_all();
}

// Delayed answers leave in the order they are due; at the end all of them do.
void FailingObjectStore::run_deliveries() {
  std::unique_lock lock(mutex_);
  while (!stopping_ || !delayed_.empty()) {
    if (delayed_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto due = delayed_.begin()->first;
    if (!stopping_ && Clock::now() < due) {
      changed_.wait_until(lock, due);
      continue;
    }
    Delivery deliver = std::move(delayed_.begin()->second);
    delayed_.erase(delayed_.begin());
    lock.unlock();
    deliver();
    lock.lock();
  }
}

template <class T, class Call>
Future<T> FailingObjectStore::run(Operation operation, Call call) {
  const std::optional<FaultRule> rule = next_fault(operation);
  if (!rule) return call();
  switch (rule->fault) {
    case Fault::refuse:
      return failed_future<T>(injected(rule->code));
    case Fault::lose_answer:
      return with_lost_answer(call(), rule->code);
    case Fault::repeat:
      return done_twice<T>(call);
    case Fault::corrupt:
      if constexpr (std::is_same_v<T, Payload>) return changed(call(), flip_bit);
      return call();
    case Fault::cut_off:
      if constexpr (std::is_same_v<T, Payload>) return changed(call(), cut_off);
      return call();
    case Fault::delay:
    case Fault::hold:
      break;
  }
  auto promise = std::make_shared<Promise<T>>();
  Future<T> future = promise->future();
  Future<T> inner = call();
  inner.on_ready([this, rule, promise, inner]() mutable {
    deliver_later(*rule, [promise, inner]() mutable { forward(inner, *promise); });
  });
  return future;
}

Future<ObjectInfo> FailingObjectStore::put(const ObjectKey& key, Payload body, PutOptions options) {
  return run<ObjectInfo>(Operation::put, [=, this] { return inner_.put(key, body, options); });
}

Future<Payload> FailingObjectStore::get(const ObjectKey& key, ByteRange range) {
  return run<Payload>(Operation::get, [=, this] { return inner_.get(key, range); });
}

Future<std::optional<ObjectInfo>> FailingObjectStore::head(const ObjectKey& key) {
  return run<std::optional<ObjectInfo>>(Operation::head, [=, this] { return inner_.head(key); });
}

Future<void> FailingObjectStore::remove(const ObjectKey& key) {
  return run<void>(Operation::remove, [=, this] { return inner_.remove(key); });
}

Future<UploadId> FailingObjectStore::create_upload(const ObjectKey& key, PutOptions options) {
  return run<UploadId>(Operation::create_upload,
                       [=, this] { return inner_.create_upload(key, options); });
}

Future<ETag> FailingObjectStore::upload_part(const ObjectKey& key, const UploadId& upload,
                                             PartPosition position, Payload body) {
  return run<ETag>(Operation::upload_part,
                   [=, this] { return inner_.upload_part(key, upload, position, body); });
}

Future<ETag> FailingObjectStore::copy_part(const ObjectKey& key, const UploadId& upload,
                                           PartPosition position, const ObjectKey& source,
                                           ByteRange source_range) {
  return run<ETag>(Operation::copy_part, [=, this] {
    return inner_.copy_part(key, upload, position, source, source_range);
  });
}

Future<ObjectInfo> FailingObjectStore::complete_upload(const ObjectKey& key, const UploadId& upload,
                                                       std::vector<CompletedPart> parts,
                                                       const std::string& oid) {
  return run<ObjectInfo>(Operation::complete_upload,
                         [=, this] { return inner_.complete_upload(key, upload, parts, oid); });
}

Future<void> FailingObjectStore::abort_upload(const ObjectKey& key, const UploadId& upload) {
  return run<void>(Operation::abort_upload, [=, this] { return inner_.abort_upload(key, upload); });
}

Future<std::vector<UploadId>> FailingObjectStore::list_uploads(const ObjectKey& key) {
  return run<std::vector<UploadId>>(Operation::list_uploads,
                                    [=, this] { return inner_.list_uploads(key); });
}

Future<std::vector<CompletedPart>> FailingObjectStore::list_parts(const ObjectKey& key,
                                                                  const UploadId& upload) {
  return run<std::vector<CompletedPart>>(Operation::list_parts,
                                         [=, this] { return inner_.list_parts(key, upload); });
}

Future<ListPage> FailingObjectStore::list(const std::string& prefix, const std::string& next) {
  return run<ListPage>(Operation::list, [=, this] { return inner_.list(prefix, next); });
}

}  // namespace test_support
