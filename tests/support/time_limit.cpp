// Every test program's main(), with an end for tests that hang: ctest would only say that the
// program took too long. SHOEBOX_TEST_SECONDS sets another time for each test; 0 none.

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

namespace {

/// The longest tests take half a minute with sanitizers.
unsigned seconds_max() {
  const char* wanted = std::getenv("SHOEBOX_TEST_SECONDS");
  return wanted == nullptr ? 240 : static_cast<unsigned>(std::strtoul(wanted, nullptr, 10));
}

class TimeLimit : public testing::EmptyTestEventListener {
 public:
  TimeLimit() { std::signal(SIGALRM, &end); }

  void OnTestStart(const testing::TestInfo& test) override {
    message() = std::string("\n") + test.test_suite_name() + "." + test.name() +
                " hangs: the program ends here\n";
    ::alarm(seconds_max());
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
