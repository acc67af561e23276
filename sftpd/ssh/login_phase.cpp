#include "sftpd/ssh/login_phase.h"

#include <cstring>
#include <exception>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "sftpd/auth/public_key.h"
#include "sftpd/log/log.h"
#include "sftpd/ssh/handles.h"

namespace sftpd::ssh {
namespace {

/// No user's name is longer; a client's may be.
constexpr std::size_t user_length_max = 256;

struct PublicKey {
  std::string type;
  std::string blob_base64;
  std::string fingerprint;
};

/// Empty for certificates and whatever else may not log in.
PublicKey describe(ssh_key key) {
  char* text = nullptr;
  if (ssh_pki_export_pubkey_base64(key, &text) != SSH_OK) return {};
  const TextHandle base64(text);
  const char* type = ssh_key_type_to_char(ssh_key_type(key));
  const std::string name = type == nullptr ? "" : type;
  if (!auth::accepted_key_type(name)) return {};
  try {
    const auto parsed = auth::parse_authorized_key(name + " " + base64.get());
    return {parsed.type, parsed.blob_base64, parsed.fingerprint};
  } catch (const std::invalid_argument&) {
    return {};
  }
}

/// WinSCP wants the banner to begin with it, asyncssh to contain it.
bool puts_symlink_link_first(std::string_view client, std::string_view our_banner) {
  if (client.starts_with("WinSCP")) return !our_banner.starts_with("OpenSSH");
  if (client.starts_with("AsyncSSH")) return our_banner.find("OpenSSH") == std::string_view::npos;
  return false;
}

std::string client_version_of(ssh_session session) {
  const char* banner = ssh_get_clientbanner(session);
  if (banner == nullptr) return {};
  std::string_view version(banner);
  if (version.starts_with("SSH-2.0-")) version.remove_prefix(8);
  return std::string(version);
}

}  // namespace

struct LoginPhase::Callbacks {
  static LoginPhase& self(void* userdata) { return *static_cast<LoginPhase*>(userdata); }

  /// Whatever goes wrong on the way is a refusal.
  template <class Decide>
  static int decide(void* userdata, const char* user, Decide&& how) noexcept {
    LoginPhase& phase = self(userdata);
    try {
      ++phase.requests_;
      if (user != nullptr) phase.user_ = std::string_view(user).substr(0, user_length_max);
      phase.round_trip_.answered(RoundTrip::Clock::now());
      if (phase.login_ || phase.tries_used_up()) return SSH_AUTH_DENIED;
      return how(phase);
    } catch (const std::exception& failure) {
      log::error("login failed", {{"conn", phase.info_.connection_id},
                                  {"user", phase.user_},
                                  {"address", phase.info_.peer_address},
                                  {"reason", failure.what()}});
      return SSH_AUTH_DENIED;
    }
  }

  static int none(ssh_session, const char* user, void* userdata) noexcept {
    return decide(userdata, user, [](LoginPhase& phase) {
      ++phase.key_tries_;
      return SSH_AUTH_DENIED;
    });
  }
  static int password(ssh_session, const char* user, const char* text, void* userdata) noexcept {
    return decide(userdata, user,
                  [&](LoginPhase& phase) { return phase.password(user, text, "password"); });
  }
  static int public_key(ssh_session, const char* user, ssh_key key, char state,
                        void* userdata) noexcept {
    return decide(userdata, user, [&](LoginPhase& phase) -> int {
      if (state != SSH_PUBLICKEY_STATE_NONE && state != SSH_PUBLICKEY_STATE_VALID) {
        return SSH_AUTH_DENIED;
      }
      return phase.public_key(user, key, state == SSH_PUBLICKEY_STATE_VALID);
    });
  }
  /// Without it libssh would talk to the system's Kerberos for whoever asks.
  static ssh_string no_gssapi(ssh_session, const char* user, int, ssh_string*,
                              void* userdata) noexcept {
    decide(userdata, user, [](LoginPhase& phase) {
      ++phase.key_tries_;
      return SSH_AUTH_DENIED;
    });
    return nullptr;
  }
  static ssh_channel open(ssh_session, void* userdata) noexcept {
    try {
      LoginPhase& phase = self(userdata);
      return phase.login_ ? phase.open_channel_() : nullptr;
    } catch (const std::exception&) {
      return nullptr;
    }
  }
  /// All that the callbacks above do not answer; 1 lets libssh refuse it.
  static int message(ssh_session, ssh_message message, void* userdata) noexcept {
    if (ssh_message_type(message) == SSH_REQUEST_SERVICE) {
      decide(userdata, nullptr, [](LoginPhase& phase) {
        phase.begin();
        return SSH_AUTH_DENIED;
      });
    }
    if (ssh_message_type(message) != SSH_REQUEST_AUTH ||
        ssh_message_subtype(message) != SSH_AUTH_METHOD_INTERACTIVE) {
      if (ssh_message_type(message) == SSH_REQUEST_AUTH) {
        decide(userdata, nullptr, [](LoginPhase& phase) { return ++phase.key_tries_; });
      }
      return 1;
    }
    return decide(userdata, nullptr,
                  [&](LoginPhase& phase) { return phase.interactive(message); }) == 0
               ? 0
               : 1;
  }
};

LoginPhase::LoginPhase(ssh_session session, const ServerOptions& options, SessionInfo& info,
                       RoundTrip& round_trip, auth::Authenticator& authenticator, Await await,
                       std::function<ssh_channel()> open_channel)
    : session_(session),
      options_(options),
      info_(info),
      round_trip_(round_trip),
      authenticator_(authenticator),
      await_(std::move(await)),
      open_channel_(std::move(open_channel)) {
  callbacks_.userdata = this;
  callbacks_.auth_none_function = Callbacks::none;
  callbacks_.auth_password_function = Callbacks::password;
  callbacks_.auth_pubkey_function = Callbacks::public_key;
  callbacks_.gssapi_select_oid_function = Callbacks::no_gssapi;
  callbacks_.channel_open_request_session_function = Callbacks::open;
  ssh_callbacks_init(&callbacks_);
  ssh_set_server_callbacks(session_, &callbacks_);
  ssh_set_message_callback(session_, Callbacks::message, this);
  ssh_set_auth_methods(
      session_, SSH_AUTH_METHOD_PUBLICKEY | SSH_AUTH_METHOD_PASSWORD | SSH_AUTH_METHOD_INTERACTIVE);
}

bool LoginPhase::tries_used_up() const {
  return password_tries_ >= options_.password_tries_max || key_tries_ >= options_.key_tries_max;
}

void LoginPhase::begin() {
  begun_ = true;
  round_trip_.asked(RoundTrip::Clock::now());
  info_.client_version = client_version_of(session_);
  info_.symlink_link_first = puts_symlink_link_first(info_.client_version, options_.version_banner);
}

auth::LoginResult LoginPhase::await(storage::Future<auth::LoginResult> answer, const char* user,
                                    const char* method) {
  auth::LoginResult result = await_(std::move(answer));
  if (!result.trouble.empty()) {
    log::error("login cannot be decided", {{"conn", info_.connection_id},
                                           {"user", user},
                                           {"address", info_.peer_address},
                                           {"method", method},
                                           {"reason", result.trouble}});
  }
  return result;
}

int LoginPhase::password(const char* user, const char* text, const char* method) {
  ++password_tries_;
  tell_of_keys();
  const auto result =
      await(authenticator_.check_password(user, text, info_.peer_address), user, method);
  return conclude(user, method, "", result);
}

int LoginPhase::public_key(const char* user, ssh_key key, bool verified) {
  if (!verified) ++key_tries_;
  const PublicKey described = describe(key);
  if (described.type.empty()) {
    refuse_key("", auth::Refusal::key_type);
    return SSH_AUTH_DENIED;
  }
  const auto result = await(authenticator_.check_key(user, described.type, described.blob_base64),
                            user, "publickey");
  if (verified) {
    if (!result.login) ++key_tries_;
    return conclude(user, "publickey", described.fingerprint, result);
  }
  if (result.login) return SSH_AUTH_SUCCESS;  // "go on and sign"
  refuse_key(described.fingerprint, result.refusal);
  return SSH_AUTH_DENIED;
}

int LoginPhase::interactive(ssh_message message) {
  if (ssh_message_auth_kbdint_is_response(message) != 0) return take_answer(message);
  return ask_for_password(message);
}

int LoginPhase::ask_for_password(ssh_message message) {
  const char* user = ssh_message_auth_user(message);
  if (user == nullptr) return 1;
  ++key_tries_;
  tell_of_keys();
  user_ = std::string_view(user).substr(0, user_length_max);
  asked_ = user;
  const char* prompts[] = {"Password: "};
  char echo[] = {0};
  return ssh_message_auth_interactive_request(message, "", "", 1, prompts, echo) == SSH_OK ? 0 : 1;
}

int LoginPhase::take_answer(ssh_message message) {
  // One answer to each question: what nobody asked for is a try too.
  const std::optional<std::string> asked = std::exchange(asked_, std::nullopt);
  const int answers = ssh_userauth_kbdint_getnanswers(session_);
  const char* answer = answers == 1 ? ssh_userauth_kbdint_getanswer(session_, 0) : nullptr;
  if (!asked || answer == nullptr) {
    ++key_tries_;
    return 1;
  }
  const std::string& user = *asked;
  if (password(user.c_str(), answer, "keyboard-interactive") != SSH_AUTH_SUCCESS) return 1;
  ssh_message_auth_reply_success(message, 0);
  return 0;
}

int LoginPhase::conclude(const char* user, const char* method, const std::string& fingerprint,
                         const auth::LoginResult& result) {
  if (!result.login) {
    refuse(user, method, fingerprint, result.refusal);
    return SSH_AUTH_DENIED;
  }
  login_ = result.login;
  refused_keys_ = {};  // One of several fitted.
  round_trip_.asked(RoundTrip::Clock::now());
  log::info("login", {{"conn", info_.connection_id},
                      {"user", login_->name},
                      {"address", info_.peer_address},
                      {"method", method},
                      {"key", fingerprint},
                      {"client", info_.client_version}});
  if (options_.observer != nullptr) options_.observer->login_succeeded(method);
  return SSH_AUTH_SUCCESS;
}

void LoginPhase::refuse(const char* user, const char* method, const std::string& fingerprint,
                        auth::Refusal reason) {
  tell_of_keys();
  log::warning("login refused", {{"conn", info_.connection_id},
                                 {"user", user},
                                 {"address", info_.peer_address},
                                 {"method", method},
                                 {"key", fingerprint},
                                 {"reason", auth::name_of(reason)}});
  if (options_.observer != nullptr) options_.observer->login_refused(method, reason);
}

void LoginPhase::refuse_unusable_key() {
  refuse(user_.c_str(), "publickey", "", auth::Refusal::unusable_key);
}

void LoginPhase::refuse_key(const std::string& fingerprint, auth::Refusal reason) {
  log::debug("key refused", {{"conn", info_.connection_id},
                             {"user", user_},
                             {"key", fingerprint},
                             {"reason", auth::name_of(reason)}});
  if (refused_keys_.user != user_ || refused_keys_.reason != reason) tell_of_keys();
  refused_keys_.user = user_;
  refused_keys_.reason = reason;
  refused_keys_.fingerprint = fingerprint;
  ++refused_keys_.count;
}

/// One line for all of them: from the metrics, too, one sees how many were refused, and not how
/// many keys their agents hold.
void LoginPhase::tell_of_keys() {
  const RefusedKeys keys = std::exchange(refused_keys_, {});
  if (keys.count == 0) return;
  log::warning("login refused", {{"conn", info_.connection_id},
                                 {"user", keys.user},
                                 {"address", info_.peer_address},
                                 {"method", "publickey"},
                                 {"key", keys.fingerprint},
                                 {"keys", keys.count},
                                 {"reason", auth::name_of(keys.reason)}});
  if (options_.observer != nullptr) options_.observer->login_refused("publickey", keys.reason);
}

}  // namespace sftpd::ssh
