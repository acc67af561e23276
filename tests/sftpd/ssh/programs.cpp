#include "tests/sftpd/ssh/programs.h"

#include <fmt/format.h>
#include <sodium.h>

#include <array>
#include <cstring>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

namespace sftpd::ssh::testing {
namespace {

constexpr std::size_t output_max = std::size_t{1} << 20;

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

class Sha256 {
 public:
  Sha256() { crypto_hash_sha256_init(&state_); }
  void add(std::span<const std::byte> bytes) {
    crypto_hash_sha256_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()),
                              bytes.size());
  }
  std::string hex() {
    std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
    crypto_hash_sha256_final(&state_, hash.data());
    std::string text;
    for (unsigned char byte : hash) text += fmt::format("{:02x}", byte);
    return text;
  }

 private:
  crypto_hash_sha256_state state_;
};

/// A pattern without short periods.
std::vector<std::byte> pattern(std::uint64_t offset, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; i += 8) {
    const std::uint64_t word = (offset + i) * 0x9e3779b97f4a7c15ULL + 1;
    std::memcpy(&bytes[i], &word, std::min<std::size_t>(8, size - i));
  }
  return bytes;
}
constexpr std::size_t pattern_size = 65'536;

class Program : public ChannelProgram {
 public:
  Program(ProgramControl& control, ByteStream& stream) : control_(control), stream_(stream) {
    ++control_.alive;
  }
  ~Program() override { --control_.alive; }

 protected:
  ProgramControl& control_;
  ByteStream& stream_;
};

class Echo : public Program {
 public:
  using Program::Program;
  std::optional<int> step() override {
    std::array<std::byte, 32'768> buffer;
    while (stream_.queued_bytes() < output_max) {
      const std::size_t count = stream_.read(buffer);
      if (count == 0) break;
      stream_.write(std::span(buffer).first(count));
    }
    if (stream_.at_eof()) return 0;
    return std::nullopt;
  }
};

class Discard : public Program {
 public:
  using Program::Program;
  std::optional<int> step() override {
    std::vector<std::byte> buffer(std::size_t{256} << 10);
    while (const std::size_t count = stream_.read(buffer)) {
      bytes_ += count;
      control_.read += count;
      hash_.add(std::span(buffer).first(count));
    }
    if (!stream_.at_eof()) return std::nullopt;
    stream_.write(bytes_of(fmt::format("{} {}\n", bytes_, hash_.hex())));
    return 0;
  }

 private:
  std::uint64_t bytes_ = 0;
  Sha256 hash_;
};

class Source : public Program {
 public:
  Source(ProgramControl& control, ByteStream& stream, std::uint64_t size)
      : Program(control, stream), size_(size) {}
  std::optional<int> step() override {
    while (sent_ < size_ && stream_.queued_bytes() < output_max) {
      const auto bytes = pattern(
          sent_, static_cast<std::size_t>(std::min<std::uint64_t>(pattern_size, size_ - sent_)));
      stream_.write(bytes);
      sent_ += bytes.size();
    }
    if (sent_ == size_) return 0;
    return std::nullopt;
  }

 private:
  std::uint64_t size_;
  std::uint64_t sent_ = 0;
};

/// Reads little pieces, and only when it may; says once that it runs.
class Stall : public Program {
 public:
  Stall(ProgramControl& control, ByteStream& stream) : Program(control, stream) {
    stream.write(bytes_of("stalled\n"));
    std::lock_guard lock(control.mutex);
    control.stalled = stream.waker();
  }
  std::optional<int> step() override {
    std::array<std::byte, 1000> buffer;
    while (control_.may_read) {
      const std::size_t count = stream_.read(buffer);
      control_.read += count;
      if (count == 0) break;
    }
    if (stream_.at_eof()) return 0;
    return std::nullopt;
  }
};

/// Answers from another thread.
class Late : public Program {
 public:
  Late(ProgramControl& control, ByteStream& stream) : Program(control, stream) {
    answering_ = std::thread([this, wake = stream.waker()] {
      for (int i = 0; i < 100; ++i) {
        ready_.store(i + 1);
        wake();
      }
    });
  }
  ~Late() override { answering_.join(); }
  std::optional<int> step() override {
    for (; said_ < ready_.load(); ++said_) stream_.write(bytes_of("late\n"));
    if (said_ == 100) return 0;
    return std::nullopt;
  }

 private:
  std::atomic<int> ready_{0};
  int said_ = 0;
  std::thread answering_;
};

class Say : public Program {
 public:
  Say(ProgramControl& control, ByteStream& stream, std::string text, int status)
      : Program(control, stream), text_(std::move(text)), status_(status) {}
  std::optional<int> step() override {
    if (text_ == "throw") throw std::runtime_error("thrown by a test");
    stream_.write(bytes_of(text_));
    stream_.write_error(bytes_of("to standard error\n"));
    return status_;
  }

 private:
  std::string text_;
  int status_;
};

}  // namespace

std::unique_ptr<ChannelProgram> make_program(ProgramControl& control, const auth::Login& login,
                                             const SessionInfo& session,
                                             const ChannelRequest& request, ByteStream& stream) {
  const std::string& text = request.text;
  control.symlink_link_first = session.symlink_link_first;
  if (text == "echo") return std::make_unique<Echo>(control, stream);
  if (text == "discard") return std::make_unique<Discard>(control, stream);
  if (text == "stall") return std::make_unique<Stall>(control, stream);
  if (text == "late") return std::make_unique<Late>(control, stream);
  if (text == "throw") return std::make_unique<Say>(control, stream, text, 0);
  if (text == "break") throw std::runtime_error("thrown by a test's factory");
  if (text.starts_with("source ")) {
    return std::make_unique<Source>(control, stream, std::stoull(text.substr(7)));
  }
  if (text.starts_with("exit ")) {
    return std::make_unique<Say>(control, stream, "", std::stoi(text.substr(5)));
  }
  if (text == "who") {
    const bool exec = request.kind == ChannelRequest::Kind::exec;
    return std::make_unique<Say>(
        control, stream,
        fmt::format("{} {} {}\n", login.name, session.peer_address, exec ? "exec" : "subsystem"),
        0);
  }
  return nullptr;
}

std::string sha256_of_source(std::uint64_t bytes) {
  Sha256 hash;
  for (std::uint64_t at = 0; at < bytes; at += pattern_size) {
    hash.add(
        pattern(at, static_cast<std::size_t>(std::min<std::uint64_t>(pattern_size, bytes - at))));
  }
  return hash.hex();
}

}  // namespace sftpd::ssh::testing
