#include "sftpd/vfs/path_walk.h"

#include <algorithm>
#include <deque>

#include "metadata/names/cached_nodes.h"
#include "sftpd/vfs/error.h"

namespace sftpd::vfs {

namespace {

constexpr std::size_t path_size_max = 4096;
constexpr std::size_t name_size_max = 255;
/// As Linux: ELOOP after 40.
constexpr int links_max = 40;
constexpr std::uint32_t owner_may_search = 0100;

/// Whether the bytes are UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above
/// U+10FFFF.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned first = byte(i);
    std::size_t more = 0;
    unsigned low = 0x80;
    unsigned high = 0xBF;
    if (first < 0x80) {
      ++i;
      continue;
    }
    if (first >= 0xC2 && first <= 0xDF) {
      more = 1;
    } else if (first >= 0xE0 && first <= 0xEF) {
      more = 2;
      if (first == 0xE0) low = 0xA0;
      if (first == 0xED) high = 0x9F;
    } else if (first >= 0xF0 && first <= 0xF4) {
      more = 3;
      if (first == 0xF0) low = 0x90;
      if (first == 0xF4) high = 0x8F;
    } else {
      return false;
    }
    if (i + more >= text.size()) return false;
    if (byte(i + 1) < low || byte(i + 1) > high) return false;
    for (std::size_t k = 2; k <= more; ++k) {
      if ((byte(i + k) & 0xC0) != 0x80) return false;
    }
    i += more + 1;
  }
  return true;
}

}  // namespace

std::vector<std::string> split_path(std::string_view path) {
  if (path.size() > path_size_max) throw Error(ErrorCode::bad_name, "the path is too long");
  if (path.find('\0') != path.npos) throw Error(ErrorCode::bad_name, "a path with a NUL byte");
  if (!is_utf8(path)) throw Error(ErrorCode::bad_name, "the path is not UTF-8");
  std::vector<std::string> names;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (name.empty() || name == ".") continue;
    if (name.size() > name_size_max) throw Error(ErrorCode::bad_name, "a name is too long");
    names.emplace_back(name);
  }
  return names;
}

std::string Destination::path() const {
  std::string text;
  for (std::size_t i = 1; i < trail.size(); ++i) text += "/" + trail[i].name;
  if (missing) text += "/" + *missing;
  return text.empty() ? "/" : text;
}

namespace {

/// The state of one walk: what is behind it and the names before it.
struct Walk {
  std::vector<metadata::Node> trail;
  std::deque<std::string> rest;
  int links = 0;

  /// The names up to the next "..".
  std::vector<std::string> run() const {
    return {rest.begin(), std::find(rest.begin(), rest.end(), "..")};
  }

  void check_directory() const {
    const auto& here = trail.back();
    if (here.kind != metadata::NodeKind::directory) {
      throw Error(ErrorCode::not_a_directory, "not a directory");
    }
    if (!(here.mode & owner_may_search)) {
      throw Error(ErrorCode::permission_denied, "a directory may not be searched");
    }
  }

  /// Replaces the link at the end of the trail by the names it stands for.
  void follow_link() {
    if (++links > links_max) throw Error(ErrorCode::too_many_links, "too many links");
    const std::string target = std::move(trail.back().link_target);
    trail.pop_back();
    if (target.starts_with('/')) trail.resize(1);
    const auto names = split_path(target);
    if (rest.size() + names.size() > path_size_max) {
      throw Error(ErrorCode::bad_name, "the path is too long");
    }
    rest.insert(rest.begin(), names.begin(), names.end());
  }
};

}  // namespace

Destination PathWalk::find(std::string_view path, LastLink last_link) const {
  // A path that ends in a slash (or a dot) means what a link there points to.
  const bool as_directory = path.size() > 1 && (path.back() == '/' || path.ends_with("/."));
  Walk walk;
  for (auto& name : split_path(path)) walk.rest.push_back(std::move(name));
  do {
    if (!walk.trail.empty()) {
      walk.check_directory();
      if (walk.rest.front() == "..") {
        if (walk.trail.size() > 1) walk.trail.pop_back();
        walk.rest.pop_front();
        continue;
      }
    }
    const metadata::NodeId from = walk.trail.empty() ? root_ : walk.trail.back().id;
    auto found = metadata::CachedNodes(database_).walk(account_, from, walk.run());
    if (found.empty()) throw Error(ErrorCode::not_found, "a directory vanished");
    if (walk.trail.empty()) walk.trail.push_back(found.front());
    for (std::size_t i = 1; i < found.size(); ++i) {
      walk.check_directory();
      walk.trail.push_back(std::move(found[i]));
      walk.rest.pop_front();
      if (walk.trail.back().kind == metadata::NodeKind::symlink) break;
    }
    if (walk.trail.back().kind == metadata::NodeKind::symlink) {
      if (walk.rest.empty() && last_link == LastLink::keep && !as_directory) break;
      walk.follow_link();
    } else if (found.size() == 1 && !walk.rest.empty() && walk.rest.front() != "..") {
      walk.check_directory();
      if (walk.rest.size() > 1) throw Error(ErrorCode::not_found, "no such directory");
      return {std::move(walk.trail), std::move(walk.rest.front())};
    }
  } while (!walk.rest.empty());
  if (as_directory && walk.trail.back().kind != metadata::NodeKind::directory) {
    throw Error(ErrorCode::not_a_directory, "not a directory");
  }
  return {std::move(walk.trail), {}};
}

}  // namespace sftpd::vfs
