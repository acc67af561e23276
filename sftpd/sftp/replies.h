#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "sftpd/byte_stream.h"
#include "sftpd/sftp/attrs.h"
#include "sftpd/sftp/packet_type.h"
#include "storage/future.h"
#include "storage/payload.h"

namespace sftpd::sftp {

struct Status {
  StatusCode code = SSH_FX_OK;
  std::string message;  ///< for the user; empty: the code's own words
};

/// Names an open file or directory towards the client.
struct Handle {
  std::string id;
};

struct Data {
  storage::Payload bytes;
};

struct Name {
  std::string name;
  std::string long_name;
  Attrs attrs;
};

struct Names {
  std::vector<Name> names;
};

/// What the extension defines, encoded already.
struct ExtendedReply {
  std::string body;
};

/// What a request is answered with.
using Answer = std::variant<Status, Handle, Data, Names, Attrs, ExtendedReply>;

/// An answer that is not there yet: a future and what makes an Answer of it. What it would
/// cost to keep many of them is written beside it, so that the session can stop asking for more.
class Deferred {
 public:
  /// `convert` runs on the connection's thread, with the future's value if it has one; a failure of
  /// the future goes past it.
  template <class T, class Convert>
  Deferred(storage::Future<T> future, Convert convert)
      : pending_(
            std::make_unique<PendingFuture<T, Convert>>(std::move(future), std::move(convert))) {}

  bool ready() const { return pending_->ready(); }
  /// As storage::Future::on_ready.
  void on_ready(std::function<void()> callback) { pending_->on_ready(std::move(callback)); }
  /// Once, when ready. Throws what the future throws.
  Answer take() { return pending_->take(); }

  std::uint64_t read_bytes = 0;   ///< may become this much DATA
  std::uint64_t write_bytes = 0;  ///< holds back this much of a WRITE
  /// Answers of one line leave in the order of their requests; null: whenever they are ready. What
  /// it points at must live as long as this.
  const void* line = nullptr;
  /// It changes what paths mean: no later request of the session is run before it is done.
  bool moves_names = false;

 private:
  struct Pending {
    virtual ~Pending() = default;
    virtual bool ready() const = 0;
    virtual void on_ready(std::function<void()> callback) = 0;
    virtual Answer take() = 0;
  };
  template <class T, class Convert>
  struct PendingFuture : Pending {
    PendingFuture(storage::Future<T> f, Convert c) : future(std::move(f)), convert(std::move(c)) {}
    bool ready() const override { return future.ready(); }
    void on_ready(std::function<void()> callback) override { future.on_ready(std::move(callback)); }
    Answer take() override {
      if constexpr (std::is_void_v<T>) {
        future.get();
        return convert();
      } else {
        return convert(future.get());
      }
    }
    storage::Future<T> future;
    Convert convert;
  };

  std::unique_ptr<Pending> pending_;
};

/// What a handler returns: its answer, or where it will come from.
using Reply = std::variant<Answer, Deferred>;

/// OK when `future` is done.
Deferred ok_when(storage::Future<void> future);

/// A path alone, as REALPATH and READLINK answer.
Names one_name(const std::string& path);

/// Sends one packet. DATA goes from its Payload to the stream without a copy between.
void send(ByteStream& stream, std::uint32_t id, const Answer& answer);

}  // namespace sftpd::sftp
