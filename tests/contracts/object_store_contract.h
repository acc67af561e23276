#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "storage/object_store.h"

/// What every ObjectStore promises. A program that includes this instantiates ObjectStoreContract
/// with the stores it has; each test works under a prefix of its own.
namespace contracts {

using storage::ByteRange;
using storage::CompletedPart;
using storage::Error;
using storage::ErrorCode;
using storage::ETag;
using storage::ObjectKey;
using storage::ObjectStore;
using storage::PartPosition;
using storage::Payload;
using storage::PutOptions;
using storage::UploadId;

struct StoreUnderTest {
  std::string name;
  std::function<std::shared_ptr<ObjectStore>()> open;
};

inline void PrintTo(const StoreUnderTest& store, std::ostream* out) { *out << store.name; }

/// Bytes that repeat nowhere, the same for the same seed.
inline Payload random_bytes(std::uint64_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(random());
  return Payload(std::move(bytes));
}

inline std::string joined(std::initializer_list<std::string_view> texts) {
  std::string whole;
  for (const auto text : texts) whole += text;
  return whole;
}

/// The code that `call` fails with; fails the test if it does not fail.
template <class Call>
ErrorCode error_of(Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "does not throw storage::Error";
  return ErrorCode::unavailable;
}

class ObjectStoreContract : public testing::TestWithParam<StoreUnderTest> {
 protected:
  void SetUp() override { store_ = GetParam().open(); }

  ObjectKey key(const std::string& name) const { return {prefix_ + "/" + name}; }
  static PutOptions options(const std::string& oid) {
    return {.content_type = "image/jpeg", .user_metadata = {{"oid", oid}}, .sha256_hex = {}};
  }
  /// The smallest part that need not be the last, but enough to be interesting.
  std::uint64_t part_size() const {
    return std::max<std::uint64_t>(store_->limits().part_size_min, 64U << 10);
  }
  std::string read_all(const ObjectKey& key) {
    return std::string(store_->get(key, {0, 64U << 20}).get().text());
  }
  CompletedPart send(const ObjectKey& key, const UploadId& upload, PartPosition position,
                     const Payload& body) {
    ETag etag = store_->upload_part(key, upload, position, body).get();
    return {.number = position.number, .etag = std::move(etag), .size_bytes = body.size()};
  }

  std::shared_ptr<ObjectStore> store_;
  const std::string prefix_ = "contract/" + storage::random_object_key("").text;
};

TEST_P(ObjectStoreContract, PutIsReadBack) {
  const Payload body = random_bytes(100'000, 1);
  const auto stored = store_->put(key("a"), body, options("one")).get();
  EXPECT_EQ(stored.size_bytes, body.size());
  EXPECT_EQ(read_all(key("a")), body.text());
  const auto found = store_->head(key("a")).get();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size_bytes, body.size());
  EXPECT_EQ(found->etag, stored.etag);
  EXPECT_EQ(found->user_metadata.at("oid"), "one");
}

TEST_P(ObjectStoreContract, KnownHashIsAccepted) {
  auto with_hash = options("one");
  with_hash.sha256_hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  store_->put(key("abc"), Payload::copy_of("abc"), with_hash).get();
  EXPECT_EQ(read_all(key("abc")), "abc");
}

TEST_P(ObjectStoreContract, MetadataIsReadBack) {
  auto many = options("one");
  many.user_metadata["sha256"] = std::string(64, 'f');
  many.user_metadata["with-dash"] = "a value, with (some) punctuation; and = signs";
  store_->put(key("a"), Payload::copy_of("x"), many).get();
  EXPECT_EQ(store_->head(key("a")).get()->user_metadata, many.user_metadata);
}

TEST_P(ObjectStoreContract, MetadataThatNoHeaderCanCarryIsRejected) {
  auto bad = options("one\r\nx-amz-acl: public-read");
  EXPECT_EQ(error_of([&] { store_->put(key("a"), Payload::copy_of("x"), bad).get(); }),
            ErrorCode::rejected);
}

TEST_P(ObjectStoreContract, KeysWithPunctuationAreTheirOwn) {
  const std::vector<std::string> names = {"a b",   "a+b",    "a%20b", "a&b=c", "a~b",
                                          "a@b:c", "(a)!'*", "a;b,c", "q?x#y", "<a>\"b"};
  for (const auto& name : names) {
    store_->put(key(name), Payload::copy_of(name), options(std::to_string(name.size()))).get();
  }
  for (const auto& name : names) EXPECT_EQ(read_all(key(name)), name);
}

TEST_P(ObjectStoreContract, KeysThatAreNoKeysAreRejected) {
  for (const std::string text :
       {"", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", "a\nb", "\xc3\xa4"}) {
    EXPECT_EQ(error_of([&] { store_->get({text}, {0, 1}).get(); }), ErrorCode::rejected) << text;
    EXPECT_EQ(error_of([&] { store_->put({text}, {}, options("one")).get(); }), ErrorCode::rejected)
        << text;
  }
}

TEST_P(ObjectStoreContract, RangesAreExact) {
  const Payload body = random_bytes(10'000, 2);
  store_->put(key("a"), body, options("one")).get();
  const std::vector<ByteRange> ranges = {{0, 1}, {0, 10'000}, {1, 2}, {9'999, 1}, {4'096, 4'096}};
  for (const auto& range : ranges) {
    EXPECT_EQ(store_->get(key("a"), range).get().text(),
              body.text().substr(range.offset, range.length))
        << range.offset << "+" << range.length;
  }
}

TEST_P(ObjectStoreContract, ReadAcrossTheEndIsShort) {
  store_->put(key("a"), Payload::copy_of("0123456789"), options("one")).get();
  EXPECT_EQ(store_->get(key("a"), {8, 100}).get().text(), "89");
  EXPECT_EQ(store_->get(key("a"), {0, 1ULL << 40}).get().text(), "0123456789");
  EXPECT_EQ(store_->get(key("a"), {3, UINT64_MAX}).get().text(), "3456789");
}

TEST_P(ObjectStoreContract, ReadPastTheEndIsEmpty) {
  store_->put(key("a"), Payload::copy_of("0123456789"), options("one")).get();
  EXPECT_TRUE(store_->get(key("a"), {10, 1}).get().empty());
  EXPECT_TRUE(store_->get(key("a"), {1ULL << 40, 100}).get().empty());
  EXPECT_TRUE(store_->get(key("a"), {UINT64_MAX, 1}).get().empty());
}

TEST_P(ObjectStoreContract, AnEmptyObjectReadsEmpty) {
  store_->put(key("empty"), {}, options("one")).get();
  EXPECT_TRUE(store_->get(key("empty"), {0, 100}).get().empty());
  EXPECT_EQ(store_->head(key("empty")).get()->size_bytes, 0U);
}

TEST_P(ObjectStoreContract, MissingObjects) {
  EXPECT_EQ(error_of([&] { store_->get(key("none"), {0, 1}).get(); }), ErrorCode::no_such_key);
  EXPECT_EQ(store_->head(key("none")).get(), std::nullopt);
  store_->remove(key("none")).get();
}

TEST_P(ObjectStoreContract, RemovedIsGone) {
  store_->put(key("a"), Payload::copy_of("x"), options("one")).get();
  store_->remove(key("a")).get();
  EXPECT_EQ(store_->head(key("a")).get(), std::nullopt);
  EXPECT_EQ(error_of([&] { store_->get(key("a"), {0, 1}).get(); }), ErrorCode::no_such_key);
  store_->remove(key("a")).get();
}

TEST_P(ObjectStoreContract, PutAgainReplaces) {
  store_->put(key("a"), Payload::copy_of("first"), options("one")).get();
  store_->put(key("a"), Payload::copy_of("second one"), options("two")).get();
  EXPECT_EQ(read_all(key("a")), "second one");
  EXPECT_EQ(store_->head(key("a")).get()->user_metadata.at("oid"), "two");
}

TEST_P(ObjectStoreContract, PartsInAnyOrderBecomeOneObject) {
  const auto upload = store_->create_upload(key("big"), options("one")).get();
  const Payload first = random_bytes(part_size(), 3);
  const Payload second = random_bytes(part_size() + 4'097, 4);
  const Payload last = random_bytes(11, 5);
  std::vector<CompletedPart> parts(3);
  parts[2] = send(key("big"), upload, {3, first.size() + second.size()}, last);
  parts[0] = send(key("big"), upload, {1, 0}, first);
  parts[1] = send(key("big"), upload, {2, first.size()}, second);
  EXPECT_EQ(store_->head(key("big")).get(), std::nullopt) << "not before it is complete";
  const auto stored = store_->complete_upload(key("big"), upload, parts, "one").get();
  EXPECT_EQ(stored.size_bytes, first.size() + second.size() + last.size());
  EXPECT_EQ(read_all(key("big")), joined({first.text(), second.text(), last.text()}));
  const auto found = store_->head(key("big")).get();
  EXPECT_EQ(found->etag, stored.etag);
  EXPECT_EQ(found->user_metadata.at("oid"), "one");
}

TEST_P(ObjectStoreContract, PartsSentAtTheSameTime) {
  const auto upload = store_->create_upload(key("big"), options("one")).get();
  std::vector<Payload> bodies;
  std::vector<storage::Future<ETag>> answers;
  std::string expected;
  for (int number = 1; number <= 4; ++number) {
    bodies.push_back(random_bytes(part_size(), static_cast<std::uint64_t>(number)));
    answers.push_back(
        store_->upload_part(key("big"), upload, {number, expected.size()}, bodies.back()));
    expected += bodies.back().text();
  }
  std::vector<CompletedPart> parts;
  for (int number = 1; number <= 4; ++number) {
    parts.push_back({number, answers[static_cast<std::size_t>(number - 1)].get(), part_size()});
  }
  store_->complete_upload(key("big"), upload, parts, "one").get();
  EXPECT_TRUE(read_all(key("big")) == expected);
}

TEST_P(ObjectStoreContract, ThePartSentLastCounts) {
  const auto upload = store_->create_upload(key("big"), options("one")).get();
  const auto stale = send(key("big"), upload, {1, 0}, Payload::copy_of("first try, longer"));
  const auto part = send(key("big"), upload, {1, 0}, Payload::copy_of("second try"));
  store_->complete_upload(key("big"), upload, {part}, "one").get();
  EXPECT_EQ(read_all(key("big")), "second try");
}

TEST_P(ObjectStoreContract, AnEmptyLastPartIsAllowed) {
  const auto upload = store_->create_upload(key("empty"), options("one")).get();
  const auto part = send(key("empty"), upload, {1, 0}, {});
  EXPECT_EQ(store_->complete_upload(key("empty"), upload, {part}, "one").get().size_bytes, 0U);
  EXPECT_EQ(read_all(key("empty")), "");
}

TEST_P(ObjectStoreContract, CopiedPartsBesideNewOnes) {
  const Payload source = random_bytes(2 * part_size() + 100, 6);
  store_->put(key("source"), source, options("source")).get();
  const auto upload = store_->create_upload(key("copy"), options("copy")).get();
  const Payload fresh = random_bytes(part_size(), 7);
  std::vector<CompletedPart> parts;
  const auto copy = [&](PartPosition position, ByteRange range) {
    ETag etag = store_->copy_part(key("copy"), upload, position, key("source"), range).get();
    parts.push_back({position.number, std::move(etag), range.length});
  };
  copy({1, 0}, {50, part_size()});
  parts.push_back(send(key("copy"), upload, {2, part_size()}, fresh));
  copy({3, 2 * part_size()}, {part_size() + 90, 10});
  store_->complete_upload(key("copy"), upload, parts, "copy").get();
  EXPECT_TRUE(read_all(key("copy")) == joined({source.text().substr(50, part_size()), fresh.text(),
                                               source.text().substr(part_size() + 90, 10)}));
}

TEST_P(ObjectStoreContract, CopiesThatCannotBe) {
  store_->put(key("source"), Payload::copy_of("0123456789"), options("source")).get();
  const auto upload = store_->create_upload(key("copy"), options("copy")).get();
  const auto copy = [&](const ObjectKey& source, ByteRange range) {
    return error_of([&] { store_->copy_part(key("copy"), upload, {1, 0}, source, range).get(); });
  };
  EXPECT_EQ(copy(key("none"), {0, 5}), ErrorCode::no_such_key);
  EXPECT_EQ(copy(key("source"), {5, 6}), ErrorCode::rejected) << "behind its end";
  EXPECT_EQ(copy(key("source"), {5, 0}), ErrorCode::rejected);
  store_->abort_upload(key("copy"), upload).get();
}

TEST_P(ObjectStoreContract, CompletingTwiceSucceedsOnlyForOurObject) {
  const auto upload = store_->create_upload(key("big"), options("one")).get();
  const auto part = send(key("big"), upload, {1, 0}, Payload::copy_of("content"));
  const auto stored = store_->complete_upload(key("big"), upload, {part}, "one").get();
  const auto again = store_->complete_upload(key("big"), upload, {part}, "one").get();
  EXPECT_EQ(again.etag, stored.etag);
  EXPECT_EQ(again.size_bytes, stored.size_bytes);
}

TEST_P(ObjectStoreContract, WrongPartListsAreRejected) {
  const auto upload = store_->create_upload(key("big"), options("one")).get();
  const auto first = send(key("big"), upload, {1, 0}, random_bytes(part_size(), 8));
  const auto second = send(key("big"), upload, {2, part_size()}, Payload::copy_of("end"));
  auto stale = first;
  stale.etag.text = "00000000000000000000000000000000";
  const auto complete = [&](std::vector<CompletedPart> parts) {
    return error_of([&] { store_->complete_upload(key("big"), upload, parts, "one").get(); });
  };
  EXPECT_EQ(complete({}), ErrorCode::rejected);
  EXPECT_EQ(complete({second, first}), ErrorCode::rejected);
  EXPECT_EQ(complete({first, first}), ErrorCode::rejected);
  EXPECT_EQ(complete({stale, second}), ErrorCode::rejected);
  EXPECT_EQ(store_->head(key("big")).get(), std::nullopt);
  store_->complete_upload(key("big"), upload, {first, second}, "one").get();
}

TEST_P(ObjectStoreContract, SmallPartsAreRejectedUnlessLast) {
  if (store_->limits().part_size_min <= 1) return;  // This store takes every size.
  const auto upload = store_->create_upload(key("big"), options("one")).get();
  const auto first = send(key("big"), upload, {1, 0}, Payload::copy_of("small"));
  const auto second = send(key("big"), upload, {2, 5}, Payload::copy_of("end"));
  EXPECT_EQ(error_of([&] {
              store_->complete_upload(key("big"), upload, {first, second}, "one").get();
            }),
            ErrorCode::rejected);
  store_->abort_upload(key("big"), upload).get();
}

TEST_P(ObjectStoreContract, PartNumbersAreBounded) {
  const auto upload = store_->create_upload(key("big"), options("one")).get();
  const auto send_number = [&](int number) {
    return error_of([&] {
      store_->upload_part(key("big"), upload, {number, 0}, Payload::copy_of("x")).get();
    });
  };
  EXPECT_EQ(send_number(0), ErrorCode::rejected);
  EXPECT_EQ(send_number(store_->limits().parts_max + 1), ErrorCode::rejected);
  store_->abort_upload(key("big"), upload).get();
}

TEST_P(ObjectStoreContract, AbortedUploadsAreGone) {
  const auto upload = store_->create_upload(key("big"), options("one")).get();
  const auto part = send(key("big"), upload, {1, 0}, Payload::copy_of("content"));
  store_->abort_upload(key("big"), upload).get();
  EXPECT_EQ(error_of([&] { store_->list_parts(key("big"), upload).get(); }),
            ErrorCode::no_such_upload);
  EXPECT_EQ(error_of([&] {
              send(key("big"), upload, {2, 7}, Payload::copy_of("more"));
            }),
            ErrorCode::no_such_upload);
  EXPECT_EQ(error_of([&] { store_->complete_upload(key("big"), upload, {part}, "one").get(); }),
            ErrorCode::no_such_upload);
  EXPECT_THAT(store_->list_uploads(key("big")).get(), testing::IsEmpty());
  store_->abort_upload(key("big"), upload).get();
}

TEST_P(ObjectStoreContract, AnOlderObjectIsNoProofOfCompletion) {
  store_->put(key("big"), Payload::copy_of("content"), options("older")).get();
  const auto upload = store_->create_upload(key("big"), options("one")).get();
  const auto part = send(key("big"), upload, {1, 0}, Payload::copy_of("content"));
  store_->abort_upload(key("big"), upload).get();
  EXPECT_EQ(error_of([&] { store_->complete_upload(key("big"), upload, {part}, "one").get(); }),
            ErrorCode::no_such_upload);
}

TEST_P(ObjectStoreContract, UploadsAreListedByExactKey) {
  const auto first = store_->create_upload(key("big"), options("one")).get();
  const auto second = store_->create_upload(key("big"), options("two")).get();
  const auto other = store_->create_upload(key("bigger"), options("three")).get();
  EXPECT_THAT(store_->list_uploads(key("big")).get(), testing::UnorderedElementsAre(first, second));
  EXPECT_THAT(store_->list_uploads(key("bi")).get(), testing::IsEmpty());
  store_->abort_upload(key("big"), first).get();
  store_->abort_upload(key("big"), second).get();
  store_->abort_upload(key("bigger"), other).get();
}

TEST_P(ObjectStoreContract, PartsAreListed) {
  const auto upload = store_->create_upload(key("big"), options("one")).get();
  EXPECT_THAT(store_->list_parts(key("big"), upload).get(), testing::IsEmpty());
  const auto third = send(key("big"), upload, {3, part_size()}, Payload::copy_of("the end"));
  const auto first = send(key("big"), upload, {1, 0}, random_bytes(part_size(), 9));
  const auto parts = store_->list_parts(key("big"), upload).get();
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_EQ(parts[0].number, 1);
  EXPECT_EQ(parts[0].size_bytes, part_size());
  EXPECT_EQ(parts[0].etag, first.etag);
  EXPECT_EQ(parts[1].number, 3);
  EXPECT_EQ(parts[1].etag, third.etag);
  store_->complete_upload(key("big"), upload, parts, "one").get();
}

TEST_P(ObjectStoreContract, ObjectsAreListedInBytewiseOrder) {
  for (const std::string name : {"b", "a/2", "a/1", "a.c", "a b", "c/d/e"}) {
    store_->put(key(name), Payload::copy_of(name), options("one")).get();
  }
  const auto page = store_->list(prefix_ + "/", "").get();
  std::vector<std::string> names;
  for (const auto& object : page.objects) {
    names.push_back(object.key.text.substr(prefix_.size() + 1));
    EXPECT_EQ(object.size_bytes, names.back().size());
  }
  EXPECT_THAT(names, testing::ElementsAre("a b", "a.c", "a/1", "a/2", "b", "c/d/e"));
  EXPECT_TRUE(page.next.empty());
  EXPECT_TRUE(store_->list(prefix_ + "/none", "").get().objects.empty());
}

TEST_P(ObjectStoreContract, LongListsComeInPages) {
  constexpr int count = 1'005;
  std::vector<storage::Future<storage::ObjectInfo>> puts;
  for (int i = 0; i < count; ++i) {
    puts.push_back(store_->put(key("many/" + std::to_string(i)), {}, options("one")));
  }
  for (auto& put : puts) put.get();
  std::vector<std::string> names;
  std::string next;
  do {
    auto page = store_->list(prefix_ + "/many/", next).get();
    for (const auto& object : page.objects) names.push_back(object.key.text);
    next = page.next;
  } while (!next.empty());
  EXPECT_EQ(names.size(), static_cast<std::size_t>(count));
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
}

TEST_P(ObjectStoreContract, ManyCallsAtOnce) {
  std::vector<storage::Future<storage::ObjectInfo>> puts;
  for (int i = 0; i < 200; ++i) {
    const std::string name = std::to_string(i);
    puts.push_back(store_->put(key(name), Payload::copy_of("content of " + name), options(name)));
  }
  for (auto& put : puts) put.get();
  std::vector<storage::Future<Payload>> gets;
  for (int i = 0; i < 200; ++i) gets.push_back(store_->get(key(std::to_string(i)), {0, 100}));
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(gets[static_cast<std::size_t>(i)].get().text(), "content of " + std::to_string(i));
  }
}

// Gtest wants to know that a program may include this without instantiating it.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ObjectStoreContract);

inline std::string name_of(const testing::TestParamInfo<StoreUnderTest>& parameter) {
  return parameter.param.name;
}

}  // namespace contracts
