#include "metadata/embedded/postgres_binaries.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>
#include <vector>

#include "metadata/embedded/cluster_files.h"
#include "metadata/error.h"

namespace metadata {
namespace {

namespace fs = std::filesystem;

/// The first line that a command prints; empty if it fails.
std::string first_line_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "re"), &pclose);
  std::array<char, 512> line{};
  if (!pipe || std::fgets(line.data(), static_cast<int>(line.size()), pipe.get()) == nullptr) {
    return "";
  }
  std::string text(line.data());
  text.erase(text.find_last_not_of("\r\n") + 1);
  return text;
}

std::string quoted(const std::string& path) {
  std::string text = "'";
  for (const char c : path) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

/// 15 from "postgres (PostgreSQL) 15.8 (Debian 15.8-0+deb12u1)"; 0 if it does not run.
int major_version(const std::string& folder) {
  const std::string line = first_line_of(quoted(folder + "/postgres") + " --version 2>/dev/null");
  const auto bracket = line.find(") ");
  return bracket == std::string::npos ? 0 : leading_number(line.substr(bracket + 2));
}

bool has_server(const std::string& folder) {
  return access((folder + "/initdb").c_str(), X_OK) == 0 &&
         access((folder + "/postgres").c_str(), X_OK) == 0;
}

/// Sub-folders `bin` of the versions in `parent` whose names begin with `prefix`.
void add_versions(std::vector<std::string>& folders, const fs::path& parent,
                  const std::string& prefix) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parent, ignored)) {
    if (entry.path().filename().string().starts_with(prefix)) {
      folders.push_back((entry.path() / "bin").string());
    }
  }
}

std::vector<std::string> usual_folders() {
  std::vector<std::string> folders;
  if (const char* path = std::getenv("PATH")) {
    std::istringstream words(path);
    for (std::string word; std::getline(words, word, ':');) {
      if (word.starts_with('/')) folders.push_back(word);
    }
  }
  add_versions(folders, "/usr/lib/postgresql", "");
  add_versions(folders, "/usr", "pgsql-");
  folders.emplace_back("/usr/local/pgsql/bin");
  const std::string configured = first_line_of("pg_config --bindir 2>/dev/null");
  if (configured.starts_with('/')) folders.push_back(configured);
  return folders;
}

}  // namespace

PostgresBinaries find_postgres(const std::string& wanted, int major) {
  PostgresBinaries best;
  for (const auto& folder : wanted.empty() ? usual_folders() : std::vector{wanted}) {
    if (!has_server(folder)) continue;
    const int found = major_version(folder);
    if (found > best.major && (major == 0 || found == major)) best = {folder, found};
  }
  if (best.major != 0) return best;
  const std::string package = major == 0 ? "postgresql" : "postgresql-" + std::to_string(major);
  const std::string why =
      major == 0 ? "" : " This database was made by version " + std::to_string(major) + ".";
  throw Error(ErrorCode::invalid, "PostgreSQL's server programs (initdb, postgres) are not here." +
                                      why + " Install them: apt-get install " + package);
}

}  // namespace metadata
