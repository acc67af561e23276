#include "sftpd/exec/exec_request.h"

namespace sftpd::exec {
namespace {

constexpr std::string_view blanks = " \t\n";

/// Takes one word off the front of a line. XCU section 2.2 says what quotes what.
class WordReader {
 public:
  explicit WordReader(std::string_view line) : rest_(line) {}

  /// False if a quote is left open.
  bool read(std::string& word) {
    while (!rest_.empty() && blanks.find(rest_.front()) == std::string_view::npos) {
      const char letter = take();
      if (letter == '\'') {
        if (!read_single_quoted(word)) return false;
      } else if (letter == '"') {
        if (!read_double_quoted(word)) return false;
      } else if (letter != '\\') {
        word += letter;
      } else if (!rest_.empty()) {
        word += take();
      }
    }
    return true;
  }

  bool skip_blanks() {
    while (!rest_.empty() && blanks.find(rest_.front()) != std::string_view::npos) take();
    return !rest_.empty();
  }

 private:
  char take() {
    const char letter = rest_.front();
    rest_.remove_prefix(1);
    return letter;
  }

  bool read_single_quoted(std::string& word) {
    const std::size_t end = rest_.find('\'');
    if (end == std::string_view::npos) return false;
    word += rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return true;
  }

  bool read_double_quoted(std::string& word) {
    while (!rest_.empty()) {
      const char letter = take();
      if (letter == '"') return true;
      const bool escapes = letter == '\\' && !rest_.empty() &&
                           std::string_view("$`\"\\").find(rest_.front()) != std::string_view::npos;
      word += escapes ? take() : letter;
    }
    return false;
  }

  std::string_view rest_;
};

}  // namespace

std::optional<std::vector<std::string>> split_words(std::string_view line) {
  std::vector<std::string> words;
  WordReader reader(line);
  while (reader.skip_blanks()) {
    if (!reader.read(words.emplace_back())) return {};
  }
  return words;
}

std::string_view last_component(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace sftpd::exec
