#include "storage/s3/endpoint.h"

#include <gtest/gtest.h>

#include "storage/error.h"

namespace {

using storage::s3::address_of;
using storage::s3::Endpoint;

TEST(Endpoint, TheSchemesOwnPortIsNotInTheHost) {
  EXPECT_EQ(Endpoint::parse("https://s3.example.com:443/").host, "s3.example.com");
  EXPECT_EQ(Endpoint::parse("http://s3.example.com:80").host, "s3.example.com");
  EXPECT_EQ(Endpoint::parse("http://s3.example.com:443").host, "s3.example.com:443");
  EXPECT_EQ(Endpoint::parse("https://s3.example.com:9000").host, "s3.example.com:9000");
}

TEST(Endpoint, WhatIsNoEndpointIsRejected) {
  for (const char* url : {"", "s3.example.com", "ftp://a", "https://", "https://a/path",
                          "https://user@host", "https://a?b", "http://a b"}) {
    EXPECT_THROW(Endpoint::parse(url), storage::Error) << url;
  }
}

TEST(Endpoint, LoopbackIsThisMachine) {
  EXPECT_TRUE(Endpoint::parse("http://127.0.0.1:9000").is_loopback());
  EXPECT_TRUE(Endpoint::parse("http://localhost").is_loopback());
  EXPECT_TRUE(Endpoint::parse("http://[::1]:9000").is_loopback());
  EXPECT_FALSE(Endpoint::parse("http://10.0.0.1:9000").is_loopback());
  EXPECT_FALSE(Endpoint::parse("http://localhost.example.com").is_loopback());
}

TEST(Endpoint, OnlyAmazonsHostsFollowTheRegion) {
  const auto amazon = Endpoint::parse("https://s3.us-east-1.amazonaws.com");
  EXPECT_EQ(amazon.in_region("eu-west-3").host, "s3.eu-west-3.amazonaws.com");
  const auto global = Endpoint::parse("https://s3.amazonaws.com");
  EXPECT_EQ(global.in_region("eu-west-3").host, "s3.eu-west-3.amazonaws.com");
  const auto other = Endpoint::parse("http://minio:9000");
  EXPECT_EQ(other.in_region("eu-west-3").host, "minio:9000");
}

TEST(Address, PathStyleAndVirtualHost) {
  const auto endpoint = Endpoint::parse("https://s3.example.com");
  EXPECT_EQ(address_of(endpoint, "b", true, "k/1").host, "s3.example.com");
  EXPECT_EQ(address_of(endpoint, "b", true, "k/1").path, "/b/k/1");
  EXPECT_EQ(address_of(endpoint, "b", false, "k/1").host, "b.s3.example.com");
  EXPECT_EQ(address_of(endpoint, "b", false, "k/1").path, "/k/1");
}

}  // namespace
