#pragma once

#include <memory>

namespace metadata {

/// One running transaction on one connection; made by Database, used by repositories, never kept.
/// What it holds of libpqxx is known to metadata/ only (`transaction_pqxx.h`).
class Transaction {
 public:
  struct Inner;
  explicit Transaction(Inner& inner) : inner_(inner) {}
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  Inner& inner() { return inner_; }

 private:
  Inner& inner_;
};

}  // namespace metadata
