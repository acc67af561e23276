#include "sftpd/exec/programs.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "sftpd/exec/exec_request.h"
#include "sftpd/log/log.h"
#include "sftpd/sftp/subsystem.h"

namespace sftpd::exec {
namespace {

/// What a shell ends with when it does not find a command.
constexpr int exit_not_found = 127;
constexpr int exit_failure = 1;

/// Says why there is no program.
class Refusal : public ChannelProgram {
 public:
  Refusal(ByteStream& stream, std::string message, int exit_status)
      : stream_(stream), message_(std::move(message)), exit_status_(exit_status) {}

  std::optional<int> step() override {
    stream_.write_error(std::as_bytes(std::span(message_)));
    message_.clear();
    return exit_status_;
  }

 private:
  ByteStream& stream_;
  std::string message_;
  int exit_status_;
};

std::unique_ptr<ChannelProgram> make_sftp(Client client) {
  return std::make_unique<sftp::Subsystem>(std::move(client.files), client.stream,
                                           std::move(client.sftp_options), client.channel);
}

std::unique_ptr<ChannelProgram> make_scp(Client client) {
  return std::make_unique<Refusal>(
      client.stream, "shoebox: the old scp protocol is not spoken here: use scp without -O\n",
      exit_failure);
}

struct Program {
  std::string_view name;
  std::unique_ptr<ChannelProgram> (*make)(Client client);
};

/// Every command we know, by the last component of its name: some clients ask for the server's path
/// instead of the subsystem.
constexpr Program table[] = {
    {"sftp-server", make_sftp},
    {"internal-sftp", make_sftp},
    {"scp", make_scp},
};

/// A command's name as it may stand on the client's terminal.
std::string printable(std::string_view name) {
  constexpr std::size_t shown_bytes_max = 64;
  std::string shown(name.substr(0, shown_bytes_max));
  std::ranges::replace_if(
      shown, [](char letter) { return letter < ' ' || letter > '~'; }, '?');
  return shown;
}

}  // namespace

std::unique_ptr<ChannelProgram> make_subsystem(std::string_view name, Client client) {
  if (name != "sftp") return nullptr;
  return make_sftp(std::move(client));
}

std::unique_ptr<ChannelProgram> make_program(std::string_view command_line, Client client) {
  const auto words = split_words(command_line);
  const std::string command = words && !words->empty() ? words->front() : std::string();
  const auto program = std::ranges::find(table, last_component(command), &Program::name);
  if (program != std::end(table)) return program->make(std::move(client));
  log::info("command refused", {{"conn", client.channel.connection},
                                {"channel", client.channel.number},
                                {"command", printable(command)}});
  return std::make_unique<Refusal>(
      client.stream, "shoebox: " + printable(command) + ": command not found\n", exit_not_found);
}

}  // namespace sftpd::exec
