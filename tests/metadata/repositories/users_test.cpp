#include "metadata/repositories/users.h"

#include "tests/metadata/metadata_test.h"

namespace metadata {
namespace {

using ::testing::ElementsAre;

class UsersRepository : public MetadataTest {
 protected:
  User create(const std::string& name) {
    return in([&](Repositories& r) { return r.users.create(account, name, "hash of " + name); });
  }
  std::optional<User> find(const std::string& name) {
    return in([&](Repositories& r) { return r.users.find(name); });
  }
};

TEST_F(UsersRepository, ACreatedOneIsFoundByName) {
  const User created = create("Anna.B_c-d@example.org");
  const auto found = find("Anna.B_c-d@example.org");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->id, created.id);
  EXPECT_EQ(found->account, account);
  EXPECT_EQ(found->password_hash, "hash of Anna.B_c-d@example.org");
  EXPECT_FALSE(found->disabled);
  EXPECT_EQ(found->uid, 1000U);
  EXPECT_GT(found->created_at, Time{});
  EXPECT_FALSE(find("anna.b_c-d@example.org"));
}

TEST_F(UsersRepository, NamesAreUniqueAndPlain) {
  create("anna");
  const AccountId other = in([](Repositories& r) { return r.accounts.create(std::nullopt); });
  EXPECT_EQ(code_of([&](Repositories& r) { r.users.create(other, "anna", ""); }),
            ErrorCode::already_exists);
  for (const std::string& name : {std::string(""), std::string("a b"), std::string("a\n"),
                                  std::string(65, 'a'), std::string("ä"), std::string("a\0", 2)}) {
    EXPECT_EQ(code_of([&](Repositories& r) { r.users.create(account, name, ""); }),
              ErrorCode::invalid);
  }
  EXPECT_EQ(code_of([](Repositories& r) { r.users.create(AccountId{99999}, "bob", ""); }),
            ErrorCode::not_found);
}

TEST_F(UsersRepository, ListIsByNameInPages) {
  for (const auto* name : {"c", "a", "B"}) create(name);
  const auto names = [&](const std::string& after, int limit) {
    std::vector<std::string> result;
    for (const auto& user : in([&](Repositories& r) { return r.users.list(after, limit); })) {
      result.push_back(user.name);
    }
    return result;
  };
  EXPECT_THAT(names("", 10), ElementsAre("B", "a", "c"));
  EXPECT_THAT(names("B", 1), ElementsAre("a"));
}

TEST_F(UsersRepository, RatesCanBeChanged) {
  const UserId anna = create("anna").id;
  const UserId bob = create("bob").id;
  EXPECT_EQ(find("anna")->rates, TransferRates{});
  const TransferRates given{.upload_max = 5'000'000'000, .download_max = 0};
  in([&](Repositories& r) { r.users.set_rates(anna, given); });
  EXPECT_EQ(find("anna")->rates, given);
  const auto all = in([&](Repositories& r) { return r.users.rates({bob, UserId{99999}, anna}); });
  EXPECT_THAT(all, ::testing::UnorderedElementsAre(std::pair(anna, given),
                                                   std::pair(bob, TransferRates{})));
  for (const std::uint64_t refused : {std::uint64_t{1}, std::uint64_t{1} << 63}) {
    EXPECT_EQ(code_of([&](Repositories& r) {
                r.users.set_rates(anna, {.upload_max = refused, .download_max = {}});
              }),
              ErrorCode::invalid);
  }
  EXPECT_EQ(code_of([](Repositories& r) { r.users.set_rates(UserId{99999}, {}); }),
            ErrorCode::not_found);
}

TEST_F(UsersRepository, PasswordAndStateCanBeChanged) {
  const User user = create("anna");
  in([&](Repositories& r) {
    r.users.set_password_hash(user.id, "new");
    r.users.set_disabled(user.id, true);
  });
  EXPECT_EQ(find("anna")->password_hash, "new");
  EXPECT_TRUE(find("anna")->disabled);
  EXPECT_EQ(code_of([](Repositories& r) { r.users.set_disabled(UserId{99999}, true); }),
            ErrorCode::not_found);
}

TEST_F(UsersRepository, KeysComeAndGo) {
  const User user = create("anna");
  const User other = create("bob");
  PublicKey key;
  key.type = "ssh-ed25519";
  key.blob_base64 = "AAAA";
  key.fingerprint = "SHA256:x";
  key.comment = "anna's laptop";
  in([&](Repositories& r) { r.users.add_key(user.id, key); });
  EXPECT_EQ(code_of([&](Repositories& r) { r.users.add_key(user.id, key); }),
            ErrorCode::already_exists);
  EXPECT_EQ(code_of([&](Repositories& r) { r.users.add_key(other.id, key); }), std::nullopt);
  EXPECT_EQ(code_of([&](Repositories& r) { r.users.add_key(UserId{99999}, key); }),
            ErrorCode::not_found);
  const auto keys = in([&](Repositories& r) { return r.users.keys(user.id); });
  ASSERT_EQ(keys.size(), 1U);
  EXPECT_EQ(keys[0].comment, "anna's laptop");
  EXPECT_EQ(keys[0].blob_base64, "AAAA");
  const auto has = [&](const std::string& type, const std::string& blob) {
    return in([&](Repositories& r) { return r.users.has_key(user.id, type, blob); });
  };
  EXPECT_TRUE(has("ssh-ed25519", "AAAA"));
  EXPECT_FALSE(has("ssh-rsa", "AAAA"));
  EXPECT_FALSE(has("ssh-ed25519", "aaaa"));
  EXPECT_TRUE(in([&](Repositories& r) { return r.users.remove_key(user.id, "SHA256:x"); }));
  EXPECT_FALSE(in([&](Repositories& r) { return r.users.remove_key(user.id, "SHA256:x"); }));
  EXPECT_FALSE(has("ssh-ed25519", "AAAA"));
}

TEST_F(UsersRepository, TheLastOneTakesTheAccountAlong) {
  const User anna = create("anna");
  const User bob = create("bob");
  const Node directory = make_directory(root, "d");
  const Node file = make(directory.id, "f");
  const ObjectId object = reserve("key");
  publish(whole(file.id, object, 10));
  const ObjectId staging = reserve("staging");
  in([&](Repositories& r) {
    r.uploads.begin(account, staging, file.id, file.file, anna.id, "upload", 0, 0, {});
    r.users.remove(anna.id);
  });
  EXPECT_TRUE(MetadataTest::find(file.id)) << "bob is still there";
  in([&](Repositories& r) { r.users.remove(bob.id); });
  EXPECT_FALSE(find("bob"));
  EXPECT_FALSE(MetadataTest::find(root));
  EXPECT_EQ(state_of(object), "dead");
  EXPECT_EQ(state_of(staging), "dead");
  for (const auto* table : {"accounts", "users", "nodes", "versions", "extents", "uploads",
                            "account_usage", "node_successors"}) {
    EXPECT_EQ(text(std::string("SELECT count(*) FROM ") + table), "0") << table;
  }
  EXPECT_EQ(code_of([&](Repositories& r) { r.users.remove(bob.id); }), std::nullopt);
}

}  // namespace
}  // namespace metadata
