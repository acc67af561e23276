#pragma once

#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "storage/future.h"

namespace storage {

/// Gives what `work` returns or throws to the promise. The promise's callback runs outside of the
/// try: its failure is not the work's.
template <class T, class Work>
void settle(Promise<T>& promise, Work&& work) {
  std::exception_ptr failure;
  if constexpr (std::is_void_v<T>) {
    try {
      work();
    } catch (...) {
      failure = std::current_exception();
    }
    if (!failure) promise.set_value();
  } else {
    std::optional<T> value;
    try {
      value.emplace(work());
    } catch (...) {
      failure = std::current_exception();
    }
    if (value) promise.set_value(std::move(*value));
  }
  if (failure) promise.set_exception(failure);
}

}  // namespace storage
