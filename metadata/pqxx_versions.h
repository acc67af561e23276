#pragma once

#include <cstddef>
#include <pqxx/pqxx>
#include <string>
#include <string_view>

// What differs between libpqxx 6.4 (Debian 12) and 7.x (Debian 13, Ubuntu 24.04), in one place.
// Later 7.x deprecate what 6.4 only has.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace metadata {

/// A parameter that travels in binary form. Refers to `bytes`, which must outlive it.
#if PQXX_VERSION_MAJOR >= 7
inline auto binary_parameter(std::string_view bytes) {
  return std::basic_string_view<std::byte>(reinterpret_cast<const std::byte*>(bytes.data()),
                                           bytes.size());
}
#else
inline auto binary_parameter(std::string_view bytes) {
  return pqxx::binarystring(bytes.data(), bytes.size());
}
#endif

/// A bytea column's bytes.
inline std::string bytes_of(const pqxx::field& field) {
#if PQXX_VERSION_MAJOR >= 7
  const auto bytes = field.as<std::basic_string<std::byte>>();
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
#else
  return pqxx::binarystring(field).str();
#endif
}

/// Keeps the server's notices off standard error; lives as long as its connection is used.
class SilentNotices {
 public:
  explicit SilentNotices(pqxx::connection& connection) : handler_(connection) {}

 private:
  pqxx::quiet_errorhandler handler_;
};

template <class... Parameters>
pqxx::result execute_prepared(pqxx::transaction_base& work, const char* name,
                              const Parameters&... parameters) {
  return work.exec_prepared(name, parameters...);
}

}  // namespace metadata

#pragma GCC diagnostic pop
