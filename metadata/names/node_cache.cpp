#include "metadata/names/node_cache.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace metadata {

namespace {

/// From so many names in order on, those behind are read too: a page that doubles.
constexpr int run_min = 3;
constexpr int page_min = 64;
constexpr int page_max = 512;
/// Clients choose targets: longer ones are asked for each time.
constexpr std::size_t link_target_max = 255;

std::size_t mixed(std::size_t a, std::size_t b) {
  return a ^ (b + 0x9E3779B97F4A7C15U + (a << 6) + (a >> 2));
}

}  // namespace

std::size_t NodeCache::Hash::operator()(const NameView& key) const {
  return mixed(mixed(std::hash<AccountId>{}(key.account), std::hash<NodeId>{}(key.parent)),
               std::hash<std::string_view>{}(key.name));
}

std::size_t NodeCache::Hash::operator()(const Identity& key) const {
  return mixed(std::hash<AccountId>{}(key.account), std::hash<NodeId>{}(key.node));
}

void NodeCache::trust_until(Clock::time_point end) {
  std::lock_guard lock(mutex_);
  // What was read before may have been changed by others since.
  if (!trusted(Clock::now())) invalidate_tickets();
  trusted_until_ = end;
}

void NodeCache::distrust() {
  std::lock_guard lock(mutex_);
  distrust_locked();
}

void NodeCache::distrust_locked() {
  trusted_until_ = {};
  by_name_.clear();
  by_id_.clear();
  entries_.clear();
  invalidate_tickets();
}

/// Whoever is reading now must not remember it.
void NodeCache::invalidate_tickets() {
  for (auto& changes : changes_) ++changes;
}

void NodeCache::doubt(std::int64_t backend) {
  std::lock_guard lock(mutex_);
  distrust_locked();
  doubts_.push_back(backend);
}

std::vector<std::int64_t> NodeCache::doubts() {
  std::lock_guard lock(mutex_);
  return doubts_;
}

void NodeCache::settle(std::int64_t backend) {
  std::lock_guard lock(mutex_);
  std::erase(doubts_, backend);
  invalidate_tickets();
}

std::uint64_t& NodeCache::changes_of(AccountId account) {
  return changes_[static_cast<std::uint64_t>(account.value) % shares];
}

/// Null if its time is over.
const NodeCache::Entry* NodeCache::look_up(Entries::iterator entry, Clock::time_point now) {
  if (entry->end <= now) {
    erase(entry);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return &*entry;
}

std::optional<std::vector<Node>> NodeCache::walk(AccountId account, NodeId start,
                                                 const std::vector<std::string>& names) {
  const auto now = Clock::now();
  std::lock_guard lock(mutex_);
  if (!trusted(now)) return {};
  auto found = walk_locked(account, start, names, now);
  ++(found ? hits_ : misses_);
  return found;
}

NodeCache::Counts NodeCache::counts() {
  const auto now = Clock::now();
  std::lock_guard lock(mutex_);
  return {trusted(now), entries_.size(), hits_, misses_};
}

std::optional<std::vector<Node>> NodeCache::walk_locked(AccountId account, NodeId start,
                                                        const std::vector<std::string>& names,
                                                        Clock::time_point now) {
  const auto begin = by_id_.find({account, start});
  const Entry* entry = begin == by_id_.end() ? nullptr : look_up(begin->second, now);
  if (!entry) return {};
  std::vector<Node> found{*entry->node};
  for (const auto& name : names) {
    if (found.back().kind != NodeKind::directory) break;
    const auto next = by_name_.find({account, found.back().id, name});
    entry = next == by_name_.end() ? nullptr : look_up(next->second, now);
    if (!entry) return {};
    if (!entry->node) break;
    found.push_back(*entry->node);
  }
  return found;
}

NodeCache::Ticket NodeCache::begin_reading(AccountId account) {
  std::lock_guard lock(mutex_);
  return {changes_of(account)};
}

void NodeCache::remember_walk(AccountId account, Ticket ticket,
                              const std::vector<std::string>& names,
                              const std::vector<Node>& found) {
  remember(account, ticket, found);
  const bool missing =
      !found.empty() && found.size() <= names.size() && found.back().kind == NodeKind::directory;
  if (!missing) return;
  const auto now = Clock::now();
  std::lock_guard lock(mutex_);
  if (!trusted(now) || changes_of(account) != ticket.changes) return;
  put({account, found.back().id, names[found.size() - 1], {}, now + age_max});
}

void NodeCache::remember(AccountId account, Ticket ticket, const std::vector<Node>& nodes) {
  const auto now = Clock::now();
  std::lock_guard lock(mutex_);
  if (!trusted(now) || changes_of(account) != ticket.changes) return;
  for (const auto& node : nodes) put({account, node.parent, node.name, node, now + age_max});
}

void NodeCache::put(Entry entry) {
  if (const auto old = by_name_.find(entry.key()); old != by_name_.end()) erase(old->second);
  if (entry.node) {
    const auto old = by_id_.find({entry.account, entry.node->id});
    if (old != by_id_.end()) erase(old->second);
  }
  if (entry.node && entry.node->link_target.size() > link_target_max) return;
  entries_.push_front(std::move(entry));
  const auto added = entries_.begin();
  by_name_.emplace(added->key(), added);
  if (added->node) by_id_.emplace(Identity{added->account, added->node->id}, added);
  if (entries_.size() > entries_max) erase(std::prev(entries_.end()));
}

void NodeCache::erase(Entries::iterator entry) {
  by_name_.erase(entry->key());
  if (entry->node) by_id_.erase({entry->account, entry->node->id});
  entries_.erase(entry);
}

void NodeCache::forget(std::span<const TouchedNode> touched) {
  if (touched.empty()) return;
  std::lock_guard lock(mutex_);
  for (const auto& one : touched) {
    ++changes_of(one.account);
    if (one.name) {
      const auto entry = by_name_.find({one.account, one.node, *one.name});
      if (entry != by_name_.end()) erase(entry->second);
    } else {
      const auto entry = by_id_.find({one.account, one.node});
      if (entry != by_id_.end()) erase(entry->second);
    }
  }
}

int NodeCache::worth_reading_behind(AccountId account, const Node& node) {
  const auto now = Clock::now();
  std::lock_guard lock(mutex_);
  if (!trusted(now)) return 0;
  Run& run = runs_[Hash{}(Identity{account, node.parent}) % shares];
  const bool goes_on =
      run.account == account && run.directory == node.parent && run.last < node.name;
  if (!goes_on) run = {account, node.parent, {}, 0};
  run.last = node.name;
  if (++run.length < run_min) return 0;
  return std::min(page_min << std::min(run.length - run_min, 3), page_max);
}

}  // namespace metadata
