#include "sftpd/admin/attachment.h"

#include <gtest/gtest.h>

namespace sftpd::admin {
namespace {

TEST(Attachment, APlainNameStandsInQuotes) {
  EXPECT_EQ(attachment_named("a photo.jpg"), "attachment; filename=\"a photo.jpg\"");
}

TEST(Attachment, OtherNamesStandThereTwice) {
  EXPECT_EQ(attachment_named("Gr\xc3\xbc\xc3\x9f"
                             "e.txt"),
            "attachment; filename=\"Gr__e.txt\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt");
  EXPECT_EQ(attachment_named("100% \"x\\y\".txt"),
            "attachment; filename=\"100_ _x_y_.txt\"; filename*=UTF-8''100%25%20%22x%5Cy%22.txt");
}

TEST(Attachment, NothingInANameEndsTheHeader) {
  const std::string text = attachment_named("a\r\nSet-Cookie: b\x7f\t;c'd");
  EXPECT_EQ(text,
            "attachment; filename=\"a__Set-Cookie: b__;c'd\"; "
            "filename*=UTF-8''a%0D%0ASet-Cookie%3A%20b%7F%09%3Bc%27d");
}

}  // namespace
}  // namespace sftpd::admin
