#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "metadata/ids.h"
#include "metadata/names/touched_node.h"
#include "metadata/repositories/nodes.h"

namespace metadata {

/// Rows of `nodes` that were read lately, and names that were seen not to exist. The one used
/// longest ago goes first. Safe from any thread.
///
/// It answers only while it is trusted, that is while nobody else changes the tree; what this
/// process changes is forgotten. Who reads rows takes a ticket before, so that a row which changed
/// meanwhile is not kept.
class NodeCache {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t entries_max = 32'768;  ///< some 16 MB, at most 40
  /// For so long a row is believed, whatever happens.
  static constexpr std::chrono::seconds age_max{20};

  NodeCache() = default;
  NodeCache(const NodeCache&) = delete;
  NodeCache& operator=(const NodeCache&) = delete;

  void trust_until(Clock::time_point end);
  /// Forgets all of it, and answers no more.
  void distrust();

  /// This process of the database may still commit what was sent to it on a connection that broke:
  /// as distrust(), and until that process is known to be gone.
  void doubt(std::int64_t backend);
  std::vector<std::int64_t> doubts();
  void settle(std::int64_t backend);

  /// As Nodes::walk; nothing if it takes the database to know.
  std::optional<std::vector<Node>> walk(AccountId account, NodeId start,
                                        const std::vector<std::string>& names);

  struct Ticket {
    std::uint64_t changes = 0;
  };
  /// To be taken before the database is asked.
  Ticket begin_reading(AccountId account);
  /// What Nodes::walk found on the way along `names`, and what it did not find.
  void remember_walk(AccountId account, Ticket ticket, const std::vector<std::string>& names,
                     const std::vector<Node>& found);
  void remember(AccountId account, Ticket ticket, const std::vector<Node>& nodes);

  /// This process changed these, or may have.
  void forget(std::span<const TouchedNode> touched);

  struct Counts {
    bool trusted = false;
    std::size_t names = 0;
    std::uint64_t hits = 0;    ///< walks that it answered
    std::uint64_t misses = 0;  ///< others, while it was trusted
  };
  Counts counts();

  /// A file had to be read from the database. How many of the names behind it are worth reading
  /// too: many, where its directory is being asked for name after name; else 0.
  int worth_reading_behind(AccountId account, const Node& node);

 private:
  struct NameView {
    AccountId account;
    NodeId parent;
    std::string_view name;
    bool operator==(const NameView&) const = default;
  };
  struct Entry {
    AccountId account;
    NodeId parent;
    std::string name;
    std::optional<Node> node;  ///< none: there is no such name
    Clock::time_point end;
    NameView key() const { return {account, parent, name}; }
  };
  using Entries = std::list<Entry>;
  struct Identity {
    AccountId account;
    NodeId node;
    bool operator==(const Identity&) const = default;
  };
  struct Hash {
    std::size_t operator()(const NameView& key) const;
    std::size_t operator()(const Identity& key) const;
  };
  /// Names of a directory that were asked for in order, each behind the one before.
  struct Run {
    AccountId account;
    NodeId directory;
    std::string last;
    int length = 0;
  };
  static constexpr std::size_t shares = 64;

  bool trusted(Clock::time_point now) const { return doubts_.empty() && now < trusted_until_; }
  void distrust_locked();
  void invalidate_tickets();
  const Entry* look_up(Entries::iterator entry, Clock::time_point now);
  std::optional<std::vector<Node>> walk_locked(AccountId account, NodeId start,
                                               const std::vector<std::string>& names,
                                               Clock::time_point now);
  void put(Entry entry);
  void erase(Entries::iterator entry);
  std::uint64_t& changes_of(AccountId account);

  std::mutex mutex_;  ///< guards all below
  Clock::time_point trusted_until_{};
  std::vector<std::int64_t> doubts_;
  Entries entries_;                                                ///< the one used last in front
  std::unordered_map<NameView, Entries::iterator, Hash> by_name_;  ///< keys lie in the entries
  std::unordered_map<Identity, Entries::iterator, Hash> by_id_;
  std::array<std::uint64_t, shares> changes_{};  ///< counted for some accounts together
  std::array<Run, shares> runs_{};
  std::uint64_t hits_ = 0;
  std::uint64_t misses_ = 0;
};

}  // namespace metadata
