#include "sftpd/config/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace sftpd::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The production example, as the manual gives it.
const std::string production = R"(listen: ["127.0.0.1:2022"]
host_keys: [/etc/shoebox/ssh_host_ed25519_key]
database: {url: "postgresql://shoebox@127.0.0.1/shoebox"}
storage:
  backend: s3
  endpoint: http://127.0.0.1:9000
  region: us-east-1
  bucket: shoebox
  path_style: true
  access_key_id: minioadmin
  secret_access_key_file: /run/credentials/s3-secret
)";

std::string error_of(const std::string& text) {
  try {
    parse_settings(text, "shoebox.yaml");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Settings, TheProductionExampleIsRead) {
  const Settings settings = parse_settings(production, "shoebox.yaml");
  EXPECT_THAT(settings.listen, ElementsAre("127.0.0.1:2022"));
  EXPECT_THAT(settings.host_keys, ElementsAre("/etc/shoebox/ssh_host_ed25519_key"));
  EXPECT_EQ(settings.database.url, "postgresql://shoebox@127.0.0.1/shoebox");
  EXPECT_EQ(settings.storage.backend, StorageSettings::Backend::s3);
  EXPECT_EQ(settings.storage.endpoint, "http://127.0.0.1:9000");
  EXPECT_EQ(settings.storage.region, "us-east-1");
  EXPECT_EQ(settings.storage.bucket, "shoebox");
  EXPECT_TRUE(settings.storage.path_style);
  EXPECT_EQ(settings.storage.access_key_id, "minioadmin");
  EXPECT_EQ(settings.storage.secret_access_key_file, "/run/credentials/s3-secret");
  EXPECT_FALSE(settings.part_size) << "the part's own default";
}

TEST(Settings, FlatteningIsReadInSecondsAndZeroTurnsItOff) {
  const auto quiet = [](const std::string& text) {
    return parse_settings(production + text, "shoebox.yaml").flatten_after_quiet;
  };
  EXPECT_EQ(quiet(""), std::nullopt);
  EXPECT_EQ(quiet("flatten_after_quiet: 2h\n"), std::chrono::hours{2});
  EXPECT_EQ(quiet("flatten_after_quiet: 1ms\n"), std::chrono::seconds{1}) << "not off";
  EXPECT_EQ(quiet("flatten_after_quiet: 0s\n"), std::chrono::seconds{0});
  EXPECT_EQ(parse_settings(production + "extents_max: 64\n", "shoebox.yaml").extents_max, 64);
}

TEST(Settings, ExportsOfMetadataAreReadInSecondsAndZeroTurnsThemOff) {
  const auto exports = [](const std::string& text) {
    return parse_settings(production + text, "shoebox.yaml").metadata_export;
  };
  EXPECT_EQ(exports("").every, std::nullopt);
  EXPECT_EQ(exports("metadata_export: {every: 12h, keep: 5}\n").every, std::chrono::hours{12});
  EXPECT_EQ(exports("metadata_export: {every: 12h, keep: 5}\n").keep, 5);
  EXPECT_EQ(exports("metadata_export: {every: 0}\n").every, std::chrono::seconds{0});
  EXPECT_THAT(error_of(production + "metadata_export: {keep: 0}\n"), HasSubstr("keep"));
  EXPECT_THAT(error_of(production + "metadata_export: {evry: 1h}\n"),
              HasSubstr("did you mean 'every'?"));
}

TEST(Settings, TheUmaskIsOctalAndLeavesTheOwnerAlone) {
  const auto umask = [](const std::string& text) {
    return parse_settings(production + text, "shoebox.yaml").umask;
  };
  EXPECT_EQ(umask(""), std::nullopt);
  EXPECT_EQ(umask("umask: 027\n"), 027U);
  EXPECT_EQ(umask("umask: \"0077\"\n"), 077U);
  EXPECT_EQ(umask("umask: 000\n"), 0U);
  for (const char* wrong :
       {"umask: 0\n", "umask: 28\n", "umask: 0x1\n", "umask: 100\n", "umask: -022\n"}) {
    EXPECT_THAT(error_of(production + wrong), HasSubstr("'umask' must be octal")) << wrong;
  }
}

TEST(Settings, RatesAreSizesPerSecond) {
  const Settings settings = parse_settings(
      production + "bandwidth: {upload_max: 10M, user_download_max: 0, burst: 500ms}\n", "f");
  EXPECT_EQ(settings.bandwidth.upload_max, 10U << 20);
  EXPECT_EQ(settings.bandwidth.user_download_max, 0U);
  EXPECT_FALSE(settings.bandwidth.user_upload_max);
  EXPECT_EQ(settings.bandwidth.burst, std::chrono::milliseconds(500));
  EXPECT_THAT(error_of(production + "bandwidth: {upload_max: 10}\n"), HasSubstr("at least 1k"));
  EXPECT_THAT(error_of(production + "bandwidth: {burst: 1h}\n"), HasSubstr("at most 10m"));
}

TEST(Settings, ThePublicEndpointIsAUrlOfS3) {
  EXPECT_EQ(parse_settings(production, "f").storage.public_endpoint, "");
  const std::string s3 =
      "database: {url: x}\nhost_keys: [k]\nstorage: {endpoint: 'http://h', bucket: b, ";
  EXPECT_EQ(parse_settings(s3 + "public_endpoint: 'https://p'}\n", "f").storage.public_endpoint,
            "https://p");
  EXPECT_THAT(error_of(s3 + "public_endpoint: p}\n"), HasSubstr("'storage.public_endpoint' must"));
  EXPECT_THAT(error_of("storage: {backend: local, directory: d, public_endpoint: 'http://p'}\n"),
              HasSubstr("backend 'local' has neither"));
}

TEST(Settings, MetricsAreOffUnlessTheyHaveAnAddress) {
  EXPECT_EQ(parse_settings(production, "f").metrics.listen, "");
  const std::string on = production + "metrics: {listen: \"127.0.0.1:9090\"}\n";
  EXPECT_EQ(parse_settings(on, "f").metrics.listen, "127.0.0.1:9090");
  EXPECT_THAT(error_of(production + "metrics: {}\n"), HasSubstr("needs 'listen'"));
  EXPECT_THAT(error_of(production + "metrics: {listn: x}\n"),
              HasSubstr("unknown key 'metrics.listn' (did you mean 'listen'?)"));
}

TEST(Settings, EmbeddedDatabaseAndLocalStorage) {
  const Settings settings = parse_settings(
      "host_keys: [/k]\n"
      "database: {embedded: /var/lib/shoebox/postgres}\n"
      "storage: {backend: local, directory: /var/lib/shoebox/objects}\n",
      "shoebox.yaml");
  EXPECT_EQ(settings.database.embedded, "/var/lib/shoebox/postgres");
  EXPECT_EQ(settings.storage.backend, StorageSettings::Backend::local);
  EXPECT_EQ(settings.storage.directory, "/var/lib/shoebox/objects");
}

TEST(Settings, HowLongDeadObjectsStayIsRead) {
  EXPECT_EQ(parse_settings(production, "shoebox.yaml").dead_object_keep, std::nullopt);
  EXPECT_EQ(parse_settings(production + "dead_object_keep: 30d\n", "shoebox.yaml").dead_object_keep,
            std::chrono::days{30});
}

TEST(Settings, UnknownKeysNameTheirLineAndTheLikelyKey) {
  EXPECT_EQ(error_of(production + "transfer_memory_mx: 1G\n"),
            "shoebox.yaml:12: unknown key 'transfer_memory_mx' "
            "(did you mean 'transfer_memory_max'?)");
  EXPECT_EQ(error_of(production + "  buckets: x\n"),
            "shoebox.yaml:12: unknown key 'storage.buckets' (did you mean 'bucket'?)");
  EXPECT_EQ(error_of(production + "limits:\n  whatever:\n    deep: 1\n"),
            "shoebox.yaml:13: unknown key 'limits.whatever'");
}

TEST(Settings, RepeatedKeysAreErrors) {
  EXPECT_EQ(error_of(production + "listen: 0.0.0.0:22\n"),
            "shoebox.yaml:12: 'listen' stands here twice");
}

TEST(Settings, WrongTypesSayWhatIsExpected) {
  EXPECT_EQ(error_of(production + "part_size: big\n"),
            "shoebox.yaml:12: 'part_size' must be a size like 10G or 256MiB, not 'big'");
  EXPECT_EQ(error_of(production + "version_keep: 7\n"),
            "shoebox.yaml:12: 'version_keep' must be a duration like 30s or 7d, not '7'");
  EXPECT_EQ(error_of(production + "interrupted_uploads: maybe\n"),
            "shoebox.yaml:12: 'interrupted_uploads' must be one of keep, discard, not 'maybe'");
  EXPECT_EQ(error_of(production + "limits: 7\n"),
            "shoebox.yaml:12: 'limits' must be a section with keys of its own");
  EXPECT_EQ(error_of(production + "limits: {channels_max: 0}\n"),
            "shoebox.yaml:12: 'limits.channels_max' must be a whole number from 1 to 1000, not "
            "'0'");
  EXPECT_EQ(
      error_of(production + "limits:\n  login_deadline: 0\n"),
      "shoebox.yaml:13: 'limits.login_deadline' must be at least 1s: it cannot be turned off");
  EXPECT_EQ(error_of(production + "log_level: [info]\n"),
            "shoebox.yaml:12: 'log_level' must be a text");
  EXPECT_EQ(error_of(production + "log_level:\n"), "shoebox.yaml:12: 'log_level' has no value");
}

TEST(Settings, WhatIsMissingIsNamed) {
  EXPECT_THAT(error_of("host_keys: [/k]\n"), HasSubstr("'database' is missing"));
  EXPECT_THAT(error_of("database: {embedded: /p}\n"), HasSubstr("'storage' is missing"));
  EXPECT_THAT(error_of("database: {embedded: /p}\nstorage: {backend: local, directory: /o}\n"),
              HasSubstr("'host_keys' is missing"));
  EXPECT_THAT(error_of("storage: {backend: s3, endpoint: 'http://h'}\n"),
              HasSubstr("needs 'bucket'"));
  EXPECT_THAT(error_of("storage: {backend: local}\n"), HasSubstr("needs 'directory'"));
  EXPECT_THAT(error_of("database: {connections_max: 4}\n"), HasSubstr("either 'url'"));
  EXPECT_THAT(error_of("database: {url: x, embedded: y}\n"), HasSubstr("either 'url'"));
}

TEST(Settings, WhatIsNotYamlIsAnErrorWithItsLine) {
  EXPECT_THAT(error_of("listen: [\"a\"\nhost_keys: ]["), HasSubstr("this is not YAML"));
  EXPECT_THAT(error_of("just words"), HasSubstr("'key: value' lines"));
  EXPECT_THAT(error_of(""), HasSubstr("'key: value' lines"));
}

TEST(Settings, RelativePathsAreRelativeToTheFile) {
  const std::string directory =
      testing::TempDir() + "shoebox_settings_" + std::to_string(::getpid());
  std::filesystem::create_directory(directory);
  std::ofstream(directory + "/shoebox.yaml")
      << "host_keys: [keys/ed25519, /absolute/key]\n"
         "database: {embedded: postgres}\n"
         "storage: {backend: local, directory: ../objects}\n";
  const Settings settings = load_settings(directory + "/shoebox.yaml");
  std::filesystem::remove_all(directory);
  EXPECT_THAT(settings.host_keys, ElementsAre(directory + "/keys/ed25519", "/absolute/key"));
  EXPECT_EQ(settings.database.embedded, directory + "/postgres");
  EXPECT_EQ(settings.storage.directory,
            std::filesystem::path(directory).parent_path().string() + "/objects");
}

TEST(Settings, AMissingFileIsAnError) {
  EXPECT_THROW(load_settings("/nonexistent/shoebox.yaml"), Error);
}

// etc/shoebox.yaml shows every key; those with defaults are commented out as "#key: value".
TEST(Settings, TheExampleFileDocumentsEveryKeyAndIsValid) {
  std::ifstream in(SHOEBOX_YAML);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_NO_THROW(parse_settings(text.str(), "shoebox.yaml"));
  for (const std::string& name : setting_names()) {
    const std::string key =
        name.substr(name.find('.') == std::string::npos ? 0 : name.find('.') + 1);
    EXPECT_THAT(text.str(), HasSubstr(key + ":")) << name;
  }
}

}  // namespace
}  // namespace sftpd::config
