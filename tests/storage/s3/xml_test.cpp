#include "storage/s3/xml.h"

#include <gtest/gtest.h>

namespace {

using namespace storage::s3;
using storage::CompletedPart;
using storage::ETag;
using storage::UploadId;

constexpr const char* declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

TEST(Xml, ErrorsHaveCodeMessageAndRegion) {
  const auto error = parse_error(std::string(declaration) +
                                 "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the "
                                 "region is wrong; expecting &apos;eu-west-3&apos;</Message>"
                                 "<Region>eu-west-3</Region></Error>");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, "AuthorizationHeaderMalformed");
  EXPECT_EQ(error->message, "the region is wrong; expecting 'eu-west-3'");
  EXPECT_EQ(error->region, "eu-west-3");
}

TEST(Xml, WhatIsNoErrorIsNone) {
  for (const char* text : {"", " ", "<html><body>Bad gateway</body></html>", "<Error", "{}",
                           "<ErrorResponse><Code>x</Code></ErrorResponse>"}) {
    EXPECT_FALSE(parse_error(text)) << text;
  }
}

// AWS sends spaces while it works, then the result or an error.
TEST(Xml, WhiteSpaceMayComeBeforeTheResult) {
  const auto etag = parse_completed_upload(
      "   \n  <CompleteMultipartUploadResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
      "<Bucket>b</Bucket><ETag>&#34;3858f62230ac3c915f300c664312c11f-9&#34;</ETag>"
      "</CompleteMultipartUploadResult>");
  EXPECT_EQ(etag, ETag{"3858f62230ac3c915f300c664312c11f-9"});
}

TEST(Xml, AnErrorIsNoResult) {
  EXPECT_FALSE(parse_completed_upload("<Error><Code>InternalError</Code><ETag>x</ETag></Error>"));
  EXPECT_FALSE(parse_copied_part("<Error><Code>SlowDown</Code></Error>"));
  EXPECT_FALSE(parse_created_upload("<InitiateMultipartUploadResult/>"));
  EXPECT_FALSE(parse_listed_keys("<Error/>"));
}

TEST(Xml, CreatedUploads) {
  EXPECT_EQ(parse_created_upload("<InitiateMultipartUploadResult><UploadId>a&amp;b</UploadId>"
                                 "</InitiateMultipartUploadResult>"),
            UploadId{"a&b"});
}

TEST(Xml, CopiedParts) {
  EXPECT_EQ(parse_copied_part("<CopyPartResult><LastModified>2011-04-11T20:34:56.000Z"
                              "</LastModified><ETag>\"abc\"</ETag></CopyPartResult>"),
            ETag{"abc"});
}

TEST(Xml, ListedKeysAreDecodedWhereTheAnswerSaysSo) {
  const std::string item =
      "<Contents><Key>a+b%2Bc%26%F</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>"
      "<Size>434234</Size></Contents>";
  const auto encoded = parse_listed_keys(
      "<ListBucketResult><EncodingType>url</EncodingType>"
      "<IsTruncated>true</IsTruncated>"
      "<NextContinuationToken>t/1=</NextContinuationToken>" +
      item + "</ListBucketResult>");
  ASSERT_TRUE(encoded);
  EXPECT_EQ(encoded->objects.at(0).key.text, "a b+c&%F");
  EXPECT_EQ(encoded->objects.at(0).size_bytes, 434234U);
  EXPECT_EQ(encoded->objects.at(0).modified, std::chrono::system_clock::from_time_t(1255369830));
  EXPECT_EQ(encoded->next, "t/1=");
  const auto plain = parse_listed_keys("<ListBucketResult>" + item + "</ListBucketResult>");
  EXPECT_EQ(plain->objects.at(0).key.text, "a+b%2Bc%26%F");
  EXPECT_TRUE(plain->next.empty());
}

TEST(Xml, ListsWithNonsenseInThemAreNone) {
  EXPECT_FALSE(parse_listed_keys(
      "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>"));
  EXPECT_FALSE(parse_listed_parts(
      "<ListPartsResult><Part><PartNumber>x</PartNumber></Part></ListPartsResult>"));
}

TEST(Xml, ListedPartsAndUploads) {
  const auto parts = parse_listed_parts(
      "<ListPartsResult><IsTruncated>true</IsTruncated>"
      "<NextPartNumberMarker>2</NextPartNumberMarker><Part><PartNumber>2</PartNumber>"
      "<ETag>&quot;e&quot;</ETag><Size>5</Size></Part></ListPartsResult>");
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->parts.at(0).number, 2);
  EXPECT_EQ(parts->parts.at(0).etag, ETag{"e"});
  EXPECT_TRUE(parts->truncated);
  EXPECT_EQ(parts->next_number, "2");
  const auto uploads = parse_listed_uploads(
      "<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>u</UploadId></Upload>"
      "</ListMultipartUploadsResult>");
  ASSERT_TRUE(uploads);
  EXPECT_EQ(uploads->uploads.at(0).key, "k");
  EXPECT_EQ(uploads->uploads.at(0).id, UploadId{"u"});
  EXPECT_FALSE(uploads->truncated);
}

TEST(Xml, CompleteBodiesAreEscaped) {
  EXPECT_EQ(write_complete_upload({{.number = 7, .etag = {"a<b"}, .size_bytes = 0}}),
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part>"
            "<PartNumber>7</PartNumber><ETag>&quot;a&lt;b&quot;</ETag></Part>"
            "</CompleteMultipartUpload>");
}

TEST(Xml, EntitiesOfADocumentsOwnAreNotExpanded) {
  const auto error = parse_error(
      "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b SYSTEM \"file:///etc/passwd\">]>"
      "<Error><Code>&a;</Code><Message>&b;</Message></Error>");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, "&a;");
  EXPECT_EQ(error->message, "&b;");
}

TEST(Xml, TooLongIsNone) {
  const std::string text = "<Error><Code>x</Code>" + std::string(xml_size_max, ' ') + "</Error>";
  EXPECT_FALSE(parse_error(text));
}

TEST(Xml, DeepNestingIsHarmless) {
  std::string text;
  for (int i = 0; i < 1'000'000; ++i) text += "<a>";
  EXPECT_FALSE(parse_error(text));
}

TEST(IsoTime, OnlyWholeTimes) {
  EXPECT_TRUE(parse_iso_time("2009-10-12T17:50:30Z"));
  for (const char* text : {"", "2009-10-12", "2009-13-12T17:50:30Z", "2009-10-12 17:50:30Z"}) {
    EXPECT_FALSE(parse_iso_time(text)) << text;
  }
}

}  // namespace
