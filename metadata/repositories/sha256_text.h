#pragma once

#include <optional>
#include <string>

#include "metadata/pqxx_versions.h"
#include "metadata/repositories/versions.h"

namespace metadata {

/// Hexadecimal digits, as elements of a text[] parameter.
std::optional<std::string> hexadecimal(const std::optional<Sha256>& sha256);

/// The text form of a bytea parameter: \x and the digits.
std::optional<std::string> bytea_text(const std::optional<Sha256>& sha256);

std::optional<Sha256> sha256_of(const pqxx::field& field);

}  // namespace metadata
