// Every test program's main(), with an end for tests that hang: ctest would only say that the
// program took too long.

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

namespace {

/// The longest tests take half a minute with sanitizers.
constexpr unsigned seconds_max = 240;

class TimeLimit : public testing::EmptyTestEventListener {
 public:
  TimeLimit() { std::signal(SIGALRM, &end); }

  void OnTestStart(const testing::TestInfo& test) override {
    message() = std::string("\n") + test.test_suite_name() + "." + test.name() +
                " hangs: the program ends here\n";
    ::alarm(seconds_max);
  }
  void OnTestEnd(const testing::TestInfo&) override { ::alarm(0); }

 private:
  static std::string& message() {
    static std::string text;
    return text;
  }

  static void end(int) {
    const std::string& text = message();
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    std::abort();
  }
};

[[maybe_unused]] const bool appended = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new TimeLimit);
  return true;
}();

}  // namespace
