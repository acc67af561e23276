#pragma once

#include <libssh/libssh.h>
#include <libssh/server.h>

#include <memory>

/// libssh's and the system's handles as owning values. For files of ssh/ only.
namespace sftpd::ssh {

struct FreeHandle {
  void operator()(ssh_session session) const { ssh_free(session); }
  void operator()(ssh_bind bind) const { ssh_bind_free(bind); }
  void operator()(ssh_event event) const { ssh_event_free(event); }
  void operator()(ssh_key key) const { ssh_key_free(key); }
  void operator()(char* text) const { ssh_string_free_char(text); }
};
using SessionHandle = std::unique_ptr<ssh_session_struct, FreeHandle>;
using BindHandle = std::unique_ptr<ssh_bind_struct, FreeHandle>;
using EventHandle = std::unique_ptr<ssh_event_struct, FreeHandle>;
using KeyHandle = std::unique_ptr<ssh_key_struct, FreeHandle>;
using TextHandle = std::unique_ptr<char, FreeHandle>;

/// A file descriptor, closed with its owner; -1 is none.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int number) : number_(number) {}
  ~FileDescriptor() { reset(); }
  FileDescriptor(FileDescriptor&& other) noexcept : number_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      reset();
      number_ = other.release();
    }
    return *this;
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int number() const { return number_; }
  int release() {
    const int number = number_;
    number_ = -1;
    return number;
  }
  void reset();

 private:
  int number_ = -1;
};

}  // namespace sftpd::ssh
