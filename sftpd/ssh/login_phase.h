#pragma once

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include <functional>
#include <optional>
#include <string>

#include "sftpd/auth/authenticator.h"
#include "sftpd/auth/login.h"
#include "sftpd/ssh/round_trip.h"
#include "sftpd/ssh/server.h"

namespace sftpd::ssh {

/// The dialogue until a client has logged in: none, public keys, password, and keyboard-interactive
/// with one prompt for the password. Belongs to its connection's thread.
///
/// libssh wants each answer before its callback returns, so callbacks wait for the authenticator;
/// `await` does the waiting and may give up.
class LoginPhase {
 public:
  using Await = std::function<auth::LoginResult(storage::Future<auth::LoginResult>)>;

  /// All given must outlive it; notes the client's version in `info` and when it
  /// answers in `round_trip`. Registers its callbacks with the session, `open_channel` among them:
  /// it must live as long as the session.
  LoginPhase(ssh_session session, const ServerOptions& options, SessionInfo& info,
             RoundTrip& round_trip, auth::Authenticator& authenticator, Await await,
             std::function<ssh_channel()> open_channel);
  LoginPhase(const LoginPhase&) = delete;
  LoginPhase& operator=(const LoginPhase&) = delete;

  /// Set once somebody has logged in.
  const std::optional<auth::Login>& login() const { return login_; }
  /// Tries are used up: the connection must end.
  bool tries_used_up() const;
  /// Whether the key exchange is over and the dialogue has begun.
  bool begun() const { return begun_; }
  /// Requests seen so far: one that libssh leaves unanswered (a key it cannot read, a wrong
  /// signature) does not count.
  std::uint64_t requests() const { return requests_; }

  /// A request came that libssh left unanswered: the connection is about to end.
  void refuse_unusable_key();
  /// The connection ends: what is not yet in the log is written now.
  void finish() { tell_of_keys(); }

 private:
  struct Callbacks;  // static, noexcept: libssh calls them

  void begin();
  auth::LoginResult await(storage::Future<auth::LoginResult> answer, const char* user,
                          const char* method);
  int password(const char* user, const char* text, const char* method);
  int public_key(const char* user, ssh_key key, bool verified);
  int interactive(ssh_message message);
  int ask_for_password(ssh_message message);
  int take_answer(ssh_message message);
  int conclude(const char* user, const char* method, const std::string& fingerprint,
               const auth::LoginResult& result);
  void refuse(const char* user, const char* method, const std::string& fingerprint,
              auth::Refusal reason);
  void refuse_key(const std::string& fingerprint, auth::Refusal reason);
  void tell_of_keys();

  ssh_session session_;
  const ServerOptions& options_;
  SessionInfo& info_;
  RoundTrip& round_trip_;
  auth::Authenticator& authenticator_;
  Await await_;
  std::function<ssh_channel()> open_channel_;
  ssh_server_callbacks_struct callbacks_{};

  std::optional<auth::Login> login_;
  std::optional<std::string> asked_;  ///< the user whose password we asked for interactively
  std::string user_;                  ///< of the last request that named one
  /// Keys offered in a row and refused before anything was signed. Clients try one after the other:
  /// that is one refused login, or none if another one fits.
  struct RefusedKeys {
    std::string user;
    auth::Refusal reason = auth::Refusal::none;
    std::string fingerprint;  ///< of the last one; empty for one that is no key here
    int count = 0;
  };
  RefusedKeys refused_keys_;
  bool begun_ = false;
  std::uint64_t requests_ = 0;
  int password_tries_ = 0;
  int key_tries_ = 0;  ///< and everything else that is cheap
};

}  // namespace sftpd::ssh
