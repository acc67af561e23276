#include "sftpd/auth/public_key.h"

#include <sodium.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <vector>

namespace sftpd::auth {
namespace {

constexpr std::size_t line_length_max = 16'384;
constexpr std::size_t comment_length_max = 255;

std::string base64(std::span<const std::byte> bytes, int variant) {
  const std::size_t room = sodium_base64_encoded_len(bytes.size(), variant);
  std::string text(room, '\0');
  sodium_bin2base64(text.data(), room, reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), variant);
  text.resize(std::strlen(text.c_str()));
  return text;
}

std::optional<std::vector<std::byte>> from_base64(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  std::size_t length = 0;
  const char* end = nullptr;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(), text.data(),
                        text.size(), nullptr, &length, &end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
      end != text.data() + text.size()) {
    return std::nullopt;
  }
  bytes.resize(length);
  return bytes;
}

/// Takes the strings of a key's wire form (RFC 4253, section 6.6; RFC 4251, section 5) one by one.
class BlobReader {
 public:
  explicit BlobReader(std::span<const std::byte> rest) : rest_(rest) {}

  std::span<const std::byte> take() {
    if (rest_.size() < 4) throw std::invalid_argument("the key is damaged: it is cut off");
    std::uint32_t length = 0;
    for (int i = 0; i < 4; ++i)
      length = (length << 8) | std::to_integer<std::uint32_t>(rest_[static_cast<std::size_t>(i)]);
    if (length > rest_.size() - 4) {
      throw std::invalid_argument("the key is damaged: it is cut off");
    }
    const auto taken = rest_.subspan(4, length);
    rest_ = rest_.subspan(4 + length);
    return taken;
  }
  std::string_view take_text() {
    const auto bytes = take();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  void expect_end() const {
    if (!rest_.empty()) throw std::invalid_argument("the key is damaged: something follows it");
  }

 private:
  std::span<const std::byte> rest_;
};

void expect(bool right) {
  if (!right) throw std::invalid_argument("the key is damaged: its parts do not fit its type");
}

std::size_t bits_of(std::span<const std::byte> number) {
  while (!number.empty() && number[0] == std::byte{0}) number = number.subspan(1);
  if (number.empty()) return 0;
  return number.size() * 8 -
         static_cast<std::size_t>(std::countl_zero(std::to_integer<std::uint8_t>(number[0])));
}

void check_ec_point(BlobReader& reader, std::string_view curve, std::size_t coordinate) {
  expect(reader.take_text() == curve);
  const auto point = reader.take();
  expect(point.size() == 1 + 2 * coordinate && point[0] == std::byte{4});  // uncompressed
}

void check_rsa(BlobReader& reader) {
  const auto exponent = reader.take();
  const auto modulus = reader.take();
  expect(bits_of(exponent) >= 2 && bits_of(exponent) <= 64);
  if (bits_of(modulus) < rsa_bits_min) {
    throw std::invalid_argument("the RSA key has " + std::to_string(bits_of(modulus)) +
                                " bits; at least 2048 are needed");
  }
  expect(bits_of(modulus) <= 16'384);
}

/// Throws unless the blob is a whole key of this type.
void check_blob(std::string_view type, std::span<const std::byte> blob) {
  BlobReader reader(blob);
  if (reader.take_text() != type) {
    throw std::invalid_argument("the key is damaged: it is not of the type in front of it");
  }
  if (type == "ssh-rsa") {
    check_rsa(reader);
  } else if (type == "ssh-ed25519" || type == "sk-ssh-ed25519@openssh.com") {
    expect(reader.take().size() == 32);
  } else if (type == "ecdsa-sha2-nistp384") {
    check_ec_point(reader, "nistp384", 48);
  } else if (type == "ecdsa-sha2-nistp521") {
    check_ec_point(reader, "nistp521", 66);
  } else {
    check_ec_point(reader, "nistp256", 32);
  }
  if (type.starts_with("sk-")) expect(!reader.take().empty());  // the application, "ssh:"
  reader.expect_end();
}

std::string_view take_word(std::string_view& line) {
  const std::size_t begin = std::min(line.find_first_not_of(" \t"), line.size());
  line.remove_prefix(begin);
  const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

void refuse_what_is_no_line(std::string_view line) {
  if (line.empty()) throw std::invalid_argument("there is no key");
  if (line.size() > line_length_max) throw std::invalid_argument("the line is too long for a key");
  if (line.find("PRIVATE KEY") != std::string_view::npos) {
    throw std::invalid_argument(
        "this is a private key: keep it to yourself and give the .pub file beside it");
  }
  if (line.find('\n') != std::string_view::npos || line.find('\0') != std::string_view::npos) {
    throw std::invalid_argument("a key is one line: type, base64 and comment");
  }
}

void refuse_type(std::string_view type) {
  if (type.find("-cert-v0") != std::string_view::npos) {
    throw std::invalid_argument("certificates are not accepted: give the plain public key");
  }
  if (type == "ssh-dss") {
    throw std::invalid_argument("DSA keys are broken: make one with ssh-keygen -t ed25519");
  }
  throw std::invalid_argument(
      "this does not begin with a type of key that is accepted (ssh-ed25519, ecdsa-sha2-nistp256, "
      "-nistp384, -nistp521, ssh-rsa, sk-ssh-ed25519@openssh.com, "
      "sk-ecdsa-sha2-nistp256@openssh.com); options in front of a key are not supported");
}

}  // namespace

bool accepted_key_type(std::string_view type) {
  return std::find(accepted_key_types.begin(), accepted_key_types.end(), type) !=
         accepted_key_types.end();
}

std::string base64_of(std::span<const std::byte> blob) {
  return base64(blob, sodium_base64_VARIANT_ORIGINAL);
}

std::string fingerprint_of(std::span<const std::byte> blob) {
  std::array<std::byte, crypto_hash_sha256_BYTES> hash{};
  crypto_hash_sha256(reinterpret_cast<unsigned char*>(hash.data()),
                     reinterpret_cast<const unsigned char*>(blob.data()), blob.size());
  return "SHA256:" + base64(hash, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

AuthorizedKey parse_authorized_key(std::string_view line) {
  line = trimmed(line);
  refuse_what_is_no_line(line);
  const std::string_view type = take_word(line);
  if (!accepted_key_type(type)) refuse_type(type);
  const std::string_view text = take_word(line);
  if (text.empty()) throw std::invalid_argument("the key is missing behind its type");
  const auto blob = from_base64(text);
  if (!blob) throw std::invalid_argument("the key is damaged: it is not base64");
  check_blob(type, *blob);
  const std::string_view comment = trimmed(line);
  return {.type = std::string(type),
          .blob_base64 = base64_of(*blob),
          .fingerprint = fingerprint_of(*blob),
          .comment = std::string(comment.substr(0, comment_length_max))};
}

}  // namespace sftpd::auth
