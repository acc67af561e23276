#include <gtest/gtest.h>

#include <set>

#include "tests/sftpd/sftp/session/session_fixture.h"

namespace sftpd::sftp {
namespace {

using wire::no_attrs;
using wire::text;
using wire::u32;
using wire::u64;
using wire::operator""_hex;

struct WireName {
  std::string name;
  std::string long_name;
  std::string attrs;
};

/// What a NAME holds whose entries have all attributes.
std::vector<WireName> names_in(const wire::Reply& reply) {
  constexpr std::size_t attrs_bytes = 32;
  if (reply.type != SSH_FXP_NAME) throw std::runtime_error("not a NAME");
  std::vector<WireName> names;
  std::size_t at = 4;
  for (std::uint32_t i = 0; i < wire::u32_at(reply.rest, 0); ++i) {
    WireName name;
    name.name = reply.text_at(at);
    at += 4 + name.name.size();
    name.long_name = reply.text_at(at);
    at += 4 + name.long_name.size();
    name.attrs = reply.rest.substr(at, attrs_bytes);
    at += attrs_bytes;
    names.push_back(std::move(name));
  }
  EXPECT_EQ(at, reply.rest.size());
  return names;
}

class SftpNames : public SessionTest {
 protected:
  void make_directory(std::string_view path) {
    ASSERT_EQ(client_->code(SSH_FXP_MKDIR, text(path) + no_attrs()), SSH_FX_OK);
  }
  /// The one path in the reply to REALPATH and its like.
  static std::string path_in(const wire::Reply& reply) {
    EXPECT_EQ(reply.type, SSH_FXP_NAME);
    EXPECT_EQ(wire::u32_at(reply.rest, 0), 1U);
    EXPECT_TRUE(reply.rest.ends_with("00000000"_hex)) << "no attributes";
    return reply.text_at(4);
  }
  std::string real_path(std::string_view path) {
    return path_in(client_->ask(SSH_FXP_REALPATH, text(path)));
  }
};

TEST_F(SftpNames, AListingGivesEachNameOnceWithItsAttributes) {
  std::set<std::string> expected = {".", ".."};
  for (int i = 0; i < 400; ++i) {
    const std::string name = "name-" + std::to_string(i);
    make_directory("/" + name);
    expected.insert(name);
  }
  const std::string handle = client_->open_directory("/");
  std::set<std::string> seen;
  while (true) {
    const auto reply = client_->ask(SSH_FXP_READDIR, handle);
    if (reply.type == SSH_FXP_STATUS) {
      EXPECT_EQ(reply.code(), SSH_FX_EOF);
      break;
    }
    const auto names = names_in(reply);
    EXPECT_GE(names.size() + seen.size(), std::min<std::size_t>(100, expected.size()));
    for (const auto& name : names) {
      EXPECT_TRUE(seen.insert(name.name).second) << name.name;
      EXPECT_TRUE(name.long_name.starts_with("drwx")) << name.long_name;
      EXPECT_TRUE(name.long_name.ends_with(" " + name.name)) << name.long_name;
      EXPECT_EQ(WireAttrs(name.attrs).mode & 0170000U, 0040000U);
    }
  }
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(client_->code(SSH_FXP_CLOSE, handle), SSH_FX_OK);
}

// As sshfs and paramiko do.
TEST_F(SftpNames, SurplusReaddirsAnswerEof) {
  make_directory("/d");
  const std::string handle = client_->open_directory("/d");
  std::vector<std::uint32_t> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(client_->send(SSH_FXP_READDIR, handle));
  EXPECT_EQ(names_in(client_->wait(ids[0])).size(), 2U);
  for (int i = 1; i < 4; ++i) {
    EXPECT_EQ(client_->wait(ids[static_cast<std::size_t>(i)]).code(), SSH_FX_EOF);
  }
}

TEST_F(SftpNames, LongestNamesFitAReply) {
  for (int i = 0; i < 200; ++i) {
    make_directory("/" + std::to_string(1000 + i) + std::string(251, 'x'));
  }
  const std::string handle = client_->open_directory("/");
  const auto reply = client_->ask(SSH_FXP_READDIR, handle);
  EXPECT_LT(reply.rest.size(), 128U * 1024);
  EXPECT_GT(names_in(reply).size(), 100U);
}

TEST_F(SftpNames, DirectoriesAreMadeAndRemoved) {
  const auto make = [this](std::string_view path) {
    return client_->code(SSH_FXP_MKDIR, text(path) + "00000004 000001c0"_hex);
  };
  EXPECT_EQ(make("/d"), SSH_FX_OK);
  EXPECT_EQ(make("/d"), SSH_FX_FAILURE);
  EXPECT_EQ(make("/missing/d"), SSH_FX_NO_SUCH_FILE);
  EXPECT_EQ(make("/d/e"), SSH_FX_OK);
  EXPECT_EQ(WireAttrs(client_->ask(SSH_FXP_STAT, text("/d"))).mode, 0040700U);
  EXPECT_EQ(client_->code(SSH_FXP_RMDIR, text("/d")), SSH_FX_FAILURE);
  EXPECT_EQ(client_->code(SSH_FXP_RMDIR, text("/d/e")), SSH_FX_OK);
  EXPECT_EQ(client_->code(SSH_FXP_RMDIR, text("/d")), SSH_FX_OK);
  EXPECT_EQ(client_->code(SSH_FXP_RMDIR, text("/d")), SSH_FX_NO_SUCH_FILE);
  EXPECT_EQ(client_->code(SSH_FXP_OPENDIR, text("/d")), SSH_FX_NO_SUCH_FILE);
}

TEST_F(SftpNames, DirectoryHandlesAreNotFileHandles) {
  const std::string handle = client_->open_directory("/");
  EXPECT_EQ(client_->code(SSH_FXP_READ, handle + u64(0) + u32(1)), SSH_FX_FAILURE);
  EXPECT_EQ(WireAttrs(client_->ask(SSH_FXP_FSTAT, handle)).mode & 0170000U, 0040000U);
  client_->put("/file", "x");
  const std::string file = client_->open("/file", SSH_FXF_READ);
  EXPECT_EQ(client_->code(SSH_FXP_READDIR, file), SSH_FX_FAILURE);
}

TEST_F(SftpNames, LinksAreMadeInOpenSshsOrder) {
  client_->put("/file", "content");
  EXPECT_EQ(client_->code(SSH_FXP_SYMLINK, text("file") + text("/link")), SSH_FX_OK);
  EXPECT_EQ(path_in(client_->ask(SSH_FXP_READLINK, text("/link"))), "file");
  EXPECT_EQ(WireAttrs(client_->ask(SSH_FXP_LSTAT, text("/link"))).mode & 0170000U, 0120000U);
  EXPECT_EQ(WireAttrs(client_->ask(SSH_FXP_STAT, text("/link"))).size, 7U);
  EXPECT_EQ(client_->code(SSH_FXP_READLINK, text("/file")), SSH_FX_FAILURE);
  EXPECT_EQ(client_->code(SSH_FXP_SYMLINK, text("x") + text("/link")), SSH_FX_FAILURE);
}

TEST_F(SftpNames, RealpathAllowsTheLastNameToBeMissing) {
  make_directory("/d");
  EXPECT_EQ(real_path("."), "/");
  EXPECT_EQ(real_path(""), "/");
  EXPECT_EQ(real_path("d/../d/./new"), "/d/new");
  EXPECT_EQ(real_path("/../.."), "/");
  EXPECT_EQ(client_->code(SSH_FXP_REALPATH, text("/missing/new")), SSH_FX_NO_SUCH_FILE);
}

TEST_F(SftpNames, ExpandPathKnowsTheOwnHome) {
  make_directory("/d");
  const auto expand = [this](std::string_view path) {
    return client_->ask_extended("expand-path@openssh.com", text(path));
  };
  EXPECT_EQ(path_in(expand("~")), "/");
  EXPECT_EQ(path_in(expand("~/d")), "/d");
  EXPECT_EQ(path_in(expand("~anna/d")), "/d");
  EXPECT_EQ(path_in(expand("d")), "/d");
  EXPECT_EQ(Client::status(expand("~bob")), SSH_FX_NO_SUCH_FILE);
  EXPECT_EQ(path_in(client_->ask_extended("home-directory", text(""))), "/");
  EXPECT_EQ(path_in(client_->ask_extended("home-directory", text("anna"))), "/");
  EXPECT_EQ(Client::status(client_->ask_extended("home-directory", text("bob"))), SSH_FX_FAILURE);
}

TEST_F(SftpNames, LimitsAreThoseOfTheDocumentation) {
  EXPECT_EQ(client_->ask_extended("limits@openssh.com", "").rest,
            "0000000000040000 000000000003fc00 000000000003fc00 0000000000000400"_hex);
}

TEST_F(SftpNames, StatvfsHasElevenFields) {
  const auto reply = client_->ask_extended("statvfs@openssh.com", text("/"));
  ASSERT_EQ(reply.type, SSH_FXP_EXTENDED_REPLY);
  ASSERT_EQ(reply.rest.size(), 11U * 8);
  EXPECT_TRUE(reply.rest.starts_with("0000000000001000 0000000000001000"_hex));
  EXPECT_TRUE(reply.rest.ends_with("00000000000000ff"_hex));
  EXPECT_NE(reply.rest.substr(4 * 8, 8), u64(0)) << "f_bavail";
  const std::string handle = client_->open_directory("/");
  EXPECT_EQ(client_->ask_extended("fstatvfs@openssh.com", handle).rest.size(), 11U * 8);
}

TEST_F(SftpNames, UsersGroupsByIdNamesTheUser) {
  const auto reply = client_->ask_extended("users-groups-by-id@openssh.com",
                                           text(u32(1000) + u32(0)) + text(u32(1000)));
  EXPECT_EQ(reply.rest, text(text("anna") + text("")) + text(text("anna")));
}

TEST_F(SftpNames, OwnersModesAndTimesMaySetWhatIsNotKept) {
  client_->put("/a", "x");
  const auto setstat = [this](const std::string& attrs) {
    return client_->code(SSH_FXP_SETSTAT, text("/a") + attrs);
  };
  EXPECT_EQ(setstat("00000002 000003e8 ffffffff"_hex), SSH_FX_OK);
  EXPECT_EQ(setstat("00000004 000081c0"_hex), SSH_FX_OK);
  EXPECT_EQ(WireAttrs(client_->ask(SSH_FXP_STAT, text("/a"))).mode, 0100700U);
  EXPECT_EQ(client_->code(SSH_FXP_SETSTAT, text("/missing") + no_attrs()), SSH_FX_NO_SUCH_FILE);
}

TEST_F(SftpNames, LsetstatChangesTheLink) {
  client_->put("/a", "x");
  client_->code(SSH_FXP_SYMLINK, text("a") + text("/l"));
  const auto lsetstat = [this](const std::string& attrs) {
    return Client::status(client_->ask_extended("lsetstat@openssh.com", text("/l") + attrs));
  };
  EXPECT_EQ(lsetstat("00000008 00000005 00000006"_hex), SSH_FX_OK);
  EXPECT_EQ(WireAttrs(client_->ask(SSH_FXP_LSTAT, text("/l"))).mtime, 6U);
  EXPECT_NE(WireAttrs(client_->ask(SSH_FXP_STAT, text("/a"))).mtime, 6U);
  EXPECT_EQ(lsetstat("00000001 0000000000000000"_hex), SSH_FX_BAD_MESSAGE);
}

}  // namespace
}  // namespace sftpd::sftp
