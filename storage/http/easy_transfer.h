#pragma once

#include <curl/curl.h>

#include <array>
#include <functional>
#include <memory>
#include <string>

#include "storage/http/multi_engine.h"
#include "storage/http/transfer.h"

namespace storage::http {

struct EasyCleanup {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using EasyHandle = std::unique_ptr<CURL, EasyCleanup>;

/// One request on one easy handle, from its options to its Response. Only the engine's thread
/// touches it; it must not move while the handle is in a multi handle.
class EasyTransfer {
 public:
  /// Takes a handle (new, or used before and reset: TLS sessions live in it) and sets it up.
  EasyTransfer(EasyHandle easy, Request request, MultiEngine::Done done,
               const MultiEngine::Options& options);

  CURL* easy() const { return easy_.get(); }
  bool is_bulky() const { return request_.bulky; }

  /// Turns curl's result into the response.
  void finish(CURLcode result);

  /// Valid after finish().
  Response take_response() { return std::move(response_); }
  MultiEngine::Done take_done() { return std::move(done_); }
  EasyHandle take_easy() { return std::move(easy_); }

 private:
  struct ListCleanup {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  void set_common(const MultiEngine::Options& options);
  void set_method_and_body();
  void set_headers();
  void set_timeouts(const MultiEngine::Options& options);
  std::size_t on_header(std::string_view line);
  std::size_t on_body(const char* bytes, std::size_t size);
  static std::size_t header_callback(char* bytes, std::size_t size, std::size_t count,
                                     void* self) noexcept;
  static std::size_t body_callback(char* bytes, std::size_t size, std::size_t count,
                                   void* self) noexcept;

  EasyHandle easy_;
  Request request_;
  MultiEngine::Done done_;
  Response response_;
  std::unique_ptr<curl_slist, ListCleanup> headers_;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
  bool too_long_ = false;
};

}  // namespace storage::http
