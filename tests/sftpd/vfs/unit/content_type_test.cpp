#include "sftpd/vfs/content/content_type.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace sftpd::vfs {
namespace {

std::string detect(ContentType& type, const std::string& head) {
  return type.detect(std::as_bytes(std::span(head)));
}

TEST(ContentType, KnowsWhatPeopleKeep) {
  ContentType type;
  EXPECT_EQ(detect(type, std::string("\xFF\xD8\xFF\xE0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0", 20)),
            "image/jpeg");
  EXPECT_EQ(
      detect(type, std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0", 29)),
      "image/png");
  EXPECT_EQ(detect(type, "%PDF-1.4\n%\xE2\xE3\xCF\xD3\n"), "application/pdf");
  EXPECT_EQ(detect(type, "Just a few words.\n"), "text/plain");
}

TEST(ContentType, TextThatBeginsWithASignOfItsKindIsThat) {
  ContentType type;
  EXPECT_EQ(detect(type, "<!DOCTYPE html>\n<html><head><title>a</title></head></html>\n"),
            "text/html");
  EXPECT_EQ(detect(type, "\xEF\xBB\xBF<?xml version=\"1.0\"?>\n<a/>\n"), "text/xml");
  EXPECT_EQ(detect(type, "{\"a\": [1, 2, 3]}\n"), "application/json");
  EXPECT_EQ(detect(type, "#!/bin/sh\necho hello\n"), "text/x-shellscript");
  EXPECT_EQ(detect(type, "BEGIN:VCARD\r\nVERSION:3.0\r\nEND:VCARD\r\n"), "text/vcard");
}

TEST(ContentType, OtherTextIsPlain) {
  ContentType type;
  EXPECT_EQ(detect(type, "# Heading\n\nSome *words*.\n"), "text/plain");
  EXPECT_EQ(detect(type, "int main() { return 0; }\n"), "text/plain");
  EXPECT_EQ(detect(type,
                   "Gr\xC3\xBC\xC3\x9F"
                   "e aus K\xC3\xB6ln\n"),
            "text/plain");
  const std::string long_text = "a" + std::string(ContentType::head_size - 2, ' ') + "\xC3\xBC";
  EXPECT_EQ(detect(type, long_text), "text/plain");  // The head ends inside a character.
}

TEST(ContentType, WhatNobodyKnowsIsOctetStream) {
  ContentType type;
  EXPECT_EQ(detect(type, std::string("\x01\x9f\x00\xfe\x7f\x03\xee\x00\x99", 9)),
            "application/octet-stream");
  EXPECT_EQ(detect(type, ""), "application/x-empty");
}

TEST(ContentType, ManyThreadsMayAsk) {
  ContentType type;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) EXPECT_EQ(detect(type, "Some text.\n"), "text/plain");
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace sftpd::vfs
