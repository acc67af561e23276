#include "sftpd/auth/public_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace sftpd::auth {
namespace {

using ::testing::HasSubstr;

// Made with ssh-keygen; the fingerprints are what `ssh-keygen -l` prints.
struct Sample {
  const char* line;
  const char* fingerprint;
};
const Sample samples[] = {
    {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICKXEAhEVGUVzbj62VEwli1IffCkCRtYyX5lmeeT"
     "0RP+ alice@example",
     "SHA256:9LVHDSpJ8wTmVkVKPypwG374DH228bfLcuNHF/z/I+I"},
    {"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBATH"
     "3LQ+BV+mTKY2CsJVjLHpCfsZcwgs8It3Vw5gwj6CVbuFJ8fegQCh3fVhedZvOAifkdvsfTsCtj9L"
     "EyH7xf4= alice@example",
     "SHA256:lhVUMj3tFG9tnKwC1UvX2c/c6QPrMT95PteHRaR01SU"},
    {"ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBARs"
     "akLFDEtEsxgjnThnbwtv+YNIzw+oBuRR4u9oAiaUMsp3h2GeWLORzE6zg6yiVcoRGwUeX+WVlUVl"
     "71FLNxXfPeN6CXDoZuVOVkCCsq/ivbOV8VEqDDKCxBZtcMiUuw== alice@example",
     "SHA256:mhsdtojGNNaM8Hamz4XO0atrrSgcW89L11FxpgU5Moc"},
    {"ecdsa-sha2-nistp521 AAAAE2VjZHNhLXNoYTItbmlzdHA1MjEAAAAIbmlzdHA1MjEAAACFBAHn"
     "OLz9FS1MuVRcunx7z1sMr+RkbrbpfCwN9wQISi/kHyOzQuGPkT1x0poJKiRskOiYBR2enrgeH2k0"
     "ZJ3oLMHcCQH8YyoyFeBVM+yXJk5gMzJTiIson3eDzWh5fwqakX52owslZ7RwwnfyoF7P3xEu4S9y"
     "QyET4hyF/JNQ27YUJSWB2w== alice@example",
     "SHA256:bf3GRawAJIhcaSOMXxmElB59CM9iORZ8r1U3Is+LAkw"},
    {"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC6BwR+jbI9rlIzZ43Ed2ZMXQ1OyZ1CStRdCsWR"
     "Tb+e1fpgXHZ6FEZ85wso8PQC2bWNsfriQwp43dlxzzay3Ymw6S5MxLvlFY/1TaCsQHkxd2YxE0OB"
     "PQloiKhkaDP0itM0A5SPSosoJNfEs0TlVef52HJYmMuAOGjL3pKypfeGqt2XN+0vBZMU6armzflu"
     "lSP0LTbvZE+rvd1RPwszk5gSXm30PRVkIecxENSQbb2v0uPQ2nBaLZOu8s5Z2Vh8G0jvyoXfHRAL"
     "d7JMtARLvzE91xtzTHr1lqpGQ0aymH0QaJ+7mxCU/40QEAwBeBXQAFc8QHgqexOvPE79Hqd1P4tV"
     " alice@example",
     "SHA256:U0l3ZtnrA3iI/BrJdLJ55pizMVGwvbXXnOgVccTbQgc"},
    {"sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAICKXE"
     "AhEVGUVzbj62VEwli1IffCkCRtYyX5lmeeT0RP+AAAABHNzaDo= alice@example",
     "SHA256:qGYJuLbd4WEBrgcV8JAYc1GDYDOM29RGjFvuw/TC5Es"},
    {"sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3Blb"
     "nNzaC5jb20AAAAIbmlzdHAyNTYAAABBBATH3LQ+BV+mTKY2CsJVjLHpCfsZcwgs8It3Vw5gwj6CV"
     "buFJ8fegQCh3fVhedZvOAifkdvsfTsCtj9LEyH7xf4AAAAEc3NoOg== alice@example",
     "SHA256:ZrB5V6gypr2FBjc/EeDHzLlqIRq5pVxZrj1MLfeFOTo"},
};
const char* const rsa_1024 =
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQClCQvinxfseDnJsuzxMylhdQ7Dc0Hu0WjTeL9C"
    "Qv3WkmvKyG2+WoMz5zOEozoArtTogZoZFsCs7dQp8qWqSj7XMO4js4BtV/YTyiSpzJjjldxKq83R"
    "7YqcBWMVX5CKMfJVrLKFh07qhF2MSn9GG+lVc53lFp9LzbzQeTMo8fRHWw==";

std::string failure_of(const std::string& line) {
  try {
    parse_authorized_key(line);
    return "";
  } catch (const std::invalid_argument& failure) {
    return failure.what();
  }
}

TEST(PublicKey, EveryAcceptedTypeIsRead) {
  for (const Sample& sample : samples) {
    const auto key = parse_authorized_key(std::string(sample.line) + "\n");
    EXPECT_EQ(key.fingerprint, sample.fingerprint);
    EXPECT_EQ(key.type + " " + key.blob_base64 + " " + key.comment, sample.line);
    EXPECT_TRUE(accepted_key_type(key.type));
  }
}

TEST(PublicKey, ACommentMayBeMissingOrLong) {
  const std::string line = samples[0].line;
  EXPECT_EQ(parse_authorized_key(line.substr(0, line.rfind(' '))).comment, "");
  EXPECT_EQ(parse_authorized_key("  " + line + " on my laptop \r\n").comment,
            "alice@example on my laptop");
  EXPECT_EQ(parse_authorized_key(line + std::string(1000, 'x')).comment.size(), 255U);
}

TEST(PublicKey, WhatIsWrongIsSaid) {
  const std::string line = samples[0].line;
  EXPECT_THAT(failure_of(""), HasSubstr("no key"));
  EXPECT_THAT(failure_of("-----BEGIN OPENSSH PRIVATE KEY-----"), HasSubstr("private key"));
  EXPECT_THAT(failure_of(line + "\n" + line), HasSubstr("one line"));
  EXPECT_THAT(failure_of("ssh-ed25519"), HasSubstr("missing"));
  EXPECT_THAT(failure_of("ssh-ed25519 !!!"), HasSubstr("not base64"));
  EXPECT_THAT(failure_of("ssh-ed25519 AAAA"), HasSubstr("cut off"));
  EXPECT_THAT(failure_of("ssh-dss AAAA"), HasSubstr("DSA"));
  EXPECT_THAT(failure_of("ssh-ed25519-cert-v01@openssh.com AAAA"), HasSubstr("certificates"));
  EXPECT_THAT(failure_of("command=\"x\" " + line), HasSubstr("options"));
  EXPECT_THAT(failure_of(std::string(20'000, 'a')), HasSubstr("too long"));
}

TEST(PublicKey, TheTypeInFrontMustBeTheOneInside) {
  const std::string line = samples[0].line;
  EXPECT_THAT(failure_of("ssh-rsa" + line.substr(line.find(' '))), HasSubstr("not of the type"));
}

TEST(PublicKey, AKeyCutOffAnywhereIsRefused) {
  for (const Sample& sample : samples) {
    const std::string line = sample.line;
    const std::size_t begin = line.find(' ') + 1;
    const std::size_t end = line.find(' ', begin);
    for (std::size_t length = 4; begin + length < end; length += 4) {
      EXPECT_NE(failure_of(line.substr(0, begin + length)), "") << sample.line << length;
    }
  }
}

TEST(PublicKey, ShortRsaKeysAreRefused) {
  EXPECT_THAT(failure_of(rsa_1024), HasSubstr("1024 bits"));
}

}  // namespace
}  // namespace sftpd::auth
