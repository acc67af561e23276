#pragma once

#include <cassert>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

namespace storage {

/// The receiving end of an answer that arrives later, possibly from another thread.
///
/// Unlike std::future it can tell somebody when the answer is there (`on_ready`), so a connection's
/// thread waits for a hundred of them at once. One producer, one consumer. Copies share the answer.
template <class T>
class Future;

/// The giving end. Destroying it without an answer gives `std::future_error`-like broken promise:
/// the consumer's get() throws std::runtime_error("broken promise").
template <class T>
class Promise;

namespace detail {

template <class T>
using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <class T>
struct FutureState {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Stored<T>> value;
  std::exception_ptr failure;
  std::function<void()> callback;
  bool ready = false;

  void finish(std::optional<Stored<T>> answer, std::exception_ptr error) {
    std::function<void()> call;
    {
      std::lock_guard lock(mutex);
      assert(!ready);
      value = std::move(answer);
      failure = std::move(error);
      ready = true;
      call = std::move(callback);
      callback = nullptr;
      changed.notify_all();
    }
    if (call) call();
  }
};

}  // namespace detail

template <class T>
class Future {
 public:
  Future() = default;

  bool valid() const { return state_ != nullptr; }

  /// True when get() would not wait.
  bool ready() const {
    std::lock_guard lock(state_->mutex);
    return state_->ready;
  }

  /// Waits for the answer and takes it; throws what the producer failed with. Call once.
  T get() {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this] { return state_->ready; });
    if (state_->failure) std::rethrow_exception(state_->failure);
    if constexpr (!std::is_void_v<T>) return std::move(*state_->value);
  }

  /// Calls `callback` once when the answer is there: at once if it already is, else on the
  /// producer's thread, which it must not hold up and into which it must not throw. At most one.
  void on_ready(std::function<void()> callback) {
    {
      std::lock_guard lock(state_->mutex);
      if (!state_->ready) {
        assert(!state_->callback);
        state_->callback = std::move(callback);
        return;
      }
    }
    callback();
  }

 private:
  friend class Promise<T>;
  explicit Future(std::shared_ptr<detail::FutureState<T>> state) : state_(std::move(state)) {}
  std::shared_ptr<detail::FutureState<T>> state_;
};

template <class T>
class Promise {
 public:
  Promise() : state_(std::make_shared<detail::FutureState<T>>()) {}
  Promise(Promise&& other) noexcept = default;
  Promise& operator=(Promise&& other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;
  ~Promise() {
    if (state_ && !answered()) {
      state_->finish({}, std::make_exception_ptr(std::runtime_error("broken promise")));
    }
  }

  Future<T> future() const { return Future<T>(state_); }

  template <class U = T>
  void set_value(U&& value) requires(!std::is_void_v<T>) {
    state_->finish(detail::Stored<T>(std::forward<U>(value)), nullptr);
  }
  void set_value() requires std::is_void_v<T> { state_->finish(std::monostate{}, nullptr); }
  void set_exception(std::exception_ptr failure) { state_->finish({}, std::move(failure)); }

 private:
  bool answered() const {
    std::lock_guard lock(state_->mutex);
    return state_->ready;
  }
  std::shared_ptr<detail::FutureState<T>> state_;
};

/// An answer that is known already.
template <class T>
Future<T> ready_future(T value) {
  Promise<T> promise;
  promise.set_value(std::move(value));
  return promise.future();
}
inline Future<void> ready_future() {
  Promise<void> promise;
  promise.set_value();
  return promise.future();
}
/// A failure that is known already.
template <class T>
Future<T> failed_future(std::exception_ptr failure) {
  Promise<T> promise;
  promise.set_exception(std::move(failure));
  return promise.future();
}

}  // namespace storage
