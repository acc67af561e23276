#pragma once

#include <optional>
#include <string>
#include <vector>

#include "metadata/failure.h"
#include "metadata/names/touched_node.h"
#include "metadata/parameter.h"
#include "metadata/session.h"
#include "metadata/statement.h"
#include "metadata/transaction.h"

namespace metadata {

/// The libpqxx side of a Transaction: for repositories, inside metadata/ only.
struct Transaction::Inner {
  explicit Inner(Session& of) : session(of), work(of.connection()) {}

  /// Runs a statement; one round trip (one more at its first use on this connection). Throws Error
  /// and remembers why, so that Database can tell whether to repeat. After a failure the server
  /// ignores the rest of the transaction, and so do we: every later call throws the same.
  template <class... Arguments>
  pqxx::result run(const Statement& statement, const Arguments&... arguments) {
    return guarded([&] {
      session.prepare(statement);
      return execute_with(statement, parameter(arguments)...);
    });
  }

  /// Runs text of one or more statements without parameters; nothing in it may come from outside.
  pqxx::result script(const std::string& sql) {
    return guarded([&] { return work.exec(sql); });
  }

  /// The node's row is not what it was, once this is committed.
  void touch(AccountId account, NodeId node) { touched.push_back({account, node, {}}); }
  /// The directory has an entry of this name now.
  void touch(AccountId account, NodeId directory, const std::string& name) {
    touched.push_back({account, directory, name});
  }

  Session& session;
  pqxx::nontransaction work;  ///< BEGIN and COMMIT are Database's, to save round trips
  std::optional<Failure> failure;
  std::vector<TouchedNode> touched;  ///< Database makes the cache forget them at the end

 private:
  template <class... Parameters>
  pqxx::result execute_with(const Statement& statement, const Parameters&... parameters) {
    return execute_prepared(work, statement.name, parameters.value()...);
  }

  template <class Function>
  pqxx::result guarded(Function&& function) {
    if (failure) throw Error(failure->code, failure->message);
    try {
      return function();
    } catch (...) {
      failure = current_failure(session.is_open());
    }
    throw Error(failure->code, failure->message);
  }
};

}  // namespace metadata
