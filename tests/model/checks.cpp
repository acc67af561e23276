// What is compared, and what a failing run says.

#include <algorithm>
#include <stdexcept>

#include "tests/model/run.h"

namespace model {

using namespace sftpd::vfs;

namespace {
constexpr std::size_t operations_kept = 40;
}

std::string Run::some_bytes(std::size_t size) {
  return letters_.substr(below(letters_.size() - size), size);
}

std::uint64_t Run::some_offset(const File& file) {
  const std::uint64_t size = file.live.size();
  if (one_in(12)) return 0;
  if (one_in(4)) return below(size + 1);
  return one_in(6) ? size + below(6000 * options_.scale) : size;
}

std::string Run::name_of(const FilePtr& file) const {
  for (const auto& [name, each] : names_) {
    if (each == file) return name;
  }
  return "(removed)";
}

std::string Run::content_elsewhere(const std::string& name) {
  const auto handle = witness_tree_->open_file(name, {.read = true}, {});
  return std::string(handle->read(0, static_cast<std::uint32_t>(2 * size_max())).get().text());
}

bool Run::succeeds(const std::function<void()>& work) {
  try {
    work();
    return true;
  } catch (const Error& error) {
    const bool from_store = error.code() == ErrorCode::store_unavailable ||
                            error.code() == ErrorCode::content_damaged;  // A body was cut off.
    expect(options_.may_fail && from_store, std::string("failed: ") + error.what());
    return false;
  }
}

void Run::note(const std::string& operation) {
  last_operations_.push_back(std::to_string(count_) + ": " + operation);
  if (last_operations_.size() > operations_kept) last_operations_.pop_front();
}

void Run::expect(bool holds, const std::string& what) {
  if (holds) return;
  std::string text = "seed " + std::to_string(options_.seed) + ": " + what;
  for (const auto& operation : last_operations_) text += "\n  " + operation;
  throw std::runtime_error(text);
}

void Run::check_content(const std::string& found, const std::string& expected,
                        const std::string& what) {
  if (found == expected) return;
  const auto differ = std::mismatch(found.begin(), found.end(), expected.begin(), expected.end());
  expect(false, what + ": " + std::to_string(found.size()) + " bytes instead of " +
                    std::to_string(expected.size()) + ", different at " +
                    std::to_string(differ.first - found.begin()));
}

void Run::check_all() {
  for (const auto& [name, file] : names_) {
    expect(!file->failed, "a failed file is settled when its writers are gone");
    check_content(content_elsewhere(name), file->committed, "all seen by others");
    expect(vfs_->stat(name, Vfs::Links::follow).size == file->live.size(), "size of all");
  }
  const auto listed = vfs_->open_directory("/")->next(100);
  expect(listed.size() == names_.size() + 2, "number of entries");
}

}  // namespace model
