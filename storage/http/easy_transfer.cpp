#include "storage/http/easy_transfer.h"

#include <algorithm>
#include <cctype>
#include <new>
#include <span>
#include <stdexcept>

namespace storage::http {
namespace {

// S3's answers carry about a dozen headers; a peer that sends hundreds is not one.
constexpr std::size_t response_headers_max = 200;

// Measured on loopback: larger upload buffers than curl's 64 KiB save a quarter of the CPU, larger
// download buffers than its 16 KiB a third; beyond these the gain is small for the memory.
constexpr std::size_t upload_buffer_bytes_max = std::size_t{512} << 10;
constexpr std::size_t upload_buffer_bytes_min = std::size_t{64} << 10;
constexpr long download_buffer_bytes = 256L << 10;
// Answers to what sends a body are short, and fifty uploads at once pay for fifty buffers.
constexpr long short_download_buffer_bytes = 16L << 10;

Failure failure_of(CURLcode result) {
  switch (result) {
    case CURLE_OK:
      return Failure::none;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
      return Failure::connect;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return Failure::untrusted;
    case CURLE_OPERATION_TIMEDOUT:
      return Failure::timed_out;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      return Failure::cut_off;
    default:
      return Failure::other;
  }
}

std::string_view trimmed(std::string_view text) {
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

EasyTransfer::EasyTransfer(EasyHandle easy, Request request, MultiEngine::Done done,
                           const MultiEngine::Options& options)
    : easy_(std::move(easy)), request_(std::move(request)), done_(std::move(done)) {
  if (!easy_) throw std::bad_alloc();
  set_common(options);
  set_timeouts(options);
  set_method_and_body();
  set_headers();
}

void EasyTransfer::set_common(const MultiEngine::Options& options) {
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, download_buffer_bytes);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!options.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
  if (!options.proxy_from_environment) curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text_.data());
  curl_easy_setopt(easy, CURLOPT_PRIVATE, this);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, header_callback);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, body_callback);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
}

void EasyTransfer::set_timeouts(const MultiEngine::Options& options) {
  CURL* easy = easy_.get();
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(options.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  // A connection that idled longer may be half closed, and one that lived long keeps us on one of
  // the store's front ends.
  curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, static_cast<long>(options.idle_max.count()));
  curl_easy_setopt(easy, CURLOPT_MAXLIFETIME_CONN, 300L);
  curl_easy_setopt(easy, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L);
  if (request_.timeout.count() > 0) {
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request_.timeout.count()));
  } else {
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, options.stall_bytes_per_second);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_time.count()));
  }
}

void EasyTransfer::set_method_and_body() {
  CURL* easy = easy_.get();
  if (request_.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  }
  if (request_.method == "PUT" || request_.method == "POST") {
    const std::size_t buffer_bytes =
        std::clamp(request_.body.size() / 8, upload_buffer_bytes_min, upload_buffer_bytes_max);
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, static_cast<long>(buffer_bytes));
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, short_download_buffer_bytes);
    // Not CURLOPT_UPLOAD: a buffer needs no read callback and can be sent again after a rewind.
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request_.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                     request_.body.empty() ? "" : request_.body.text().data());
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
}

void EasyTransfer::set_headers() {
  bool has_type = false;
  const auto add = [this](const std::string& line) {
    curl_slist* longer = curl_slist_append(headers_.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    (void)headers_.release();
    headers_.reset(longer);
  };
  // Some stores never answer 100 (R2), and each body would wait a second for it.
  add("Expect:");
  for (const auto& [name, value] : request_.headers) {
    has_type = has_type || name == "content-type";
    add(name + ": " + value);
  }
  if (!has_type) add("Content-Type:");  // Else curl names a form type that nobody signed.
  curl_easy_setopt(easy_.get(), CURLOPT_HTTPHEADER, headers_.get());
}

void EasyTransfer::finish(CURLcode result) {
  long status = 0;
  curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  response_.failure = too_long_ ? Failure::too_long : failure_of(result);
  if (too_long_) {
    response_.failure_text =
        "the answer is longer than " + std::to_string(request_.body_max) + " bytes";
  } else if (response_.failure != Failure::none) {
    response_.failure_text = error_text_[0] != '\0' ? error_text_.data()  //
                                                    : curl_easy_strerror(result);
  }
}

std::size_t EasyTransfer::on_header(std::string_view line) {
  if (line.starts_with("HTTP/")) {  // A new response: what came before was a 1xx.
    response_.headers.clear();
    return line.size();
  }
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  if (response_.headers.size() >= response_headers_max) return 0;
  std::string name(trimmed(line.substr(0, colon)));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  response_.headers.emplace_back(std::move(name), trimmed(line.substr(colon + 1)));
  return line.size();
}

std::size_t EasyTransfer::on_body(const char* bytes, std::size_t size) {
  auto& body = response_.body;
  if (size > request_.body_max - body.size()) {
    too_long_ = true;
    return 0;
  }
  if (body.empty()) {
    curl_off_t length = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length > 0) {
      body.reserve(static_cast<std::size_t>(
          std::min(static_cast<std::uint64_t>(length), request_.body_max)));
    }
  }
  body.append(std::as_bytes(std::span(bytes, size)));
  return size;
}

std::size_t EasyTransfer::header_callback(char* bytes, std::size_t size, std::size_t count,
                                          void* self) noexcept {
  try {
    return static_cast<EasyTransfer*>(self)->on_header({bytes, size * count});
  } catch (const std::exception&) {
    return 0;
  }
}

std::size_t EasyTransfer::body_callback(char* bytes, std::size_t size, std::size_t count,
                                        void* self) noexcept {
  try {
    return static_cast<EasyTransfer*>(self)->on_body(bytes, size * count);
  } catch (const std::exception&) {
    return 0;
  }
}

}  // namespace storage::http
