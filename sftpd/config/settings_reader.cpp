#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>

#include "sftpd/config/settings.h"
#include "sftpd/config/yaml_value.h"

namespace sftpd::config {
namespace {

/// A key and what it does to its section. To add one, add its row, and describe it in
/// etc/shoebox.yaml.
template <class Section>
struct Key {
  const char* name;
  void (*read)(const YamlValue& value, Section& section);
};

template <class Member>
struct SectionOf;
template <class Section, class Value>
struct SectionOf<Value Section::*> {
  using Type = Section;
};

template <auto member>
void text(const YamlValue& value, typename SectionOf<decltype(member)>::Type& section) {
  section.*member = value.text();
}

template <auto member>
void texts(const YamlValue& value, typename SectionOf<decltype(member)>::Type& section) {
  section.*member = value.texts();
}

template <auto member>
void boolean(const YamlValue& value, typename SectionOf<decltype(member)>::Type& section) {
  section.*member = value.boolean();
}

template <auto member, int min, int max>
void count(const YamlValue& value, typename SectionOf<decltype(member)>::Type& section) {
  section.*member = static_cast<int>(value.number(min, max));
}

template <auto member, std::uint64_t min, std::uint64_t max>
void size(const YamlValue& value, typename SectionOf<decltype(member)>::Type& section) {
  section.*member = value.size(min, max);
}

template <auto member>
void duration(const YamlValue& value, typename SectionOf<decltype(member)>::Type& section) {
  section.*member = value.duration();
}

void backend(const YamlValue& value, StorageSettings& storage) {
  using Backend = StorageSettings::Backend;
  storage.backend = value.choice({"s3", "local"}) == 0 ? Backend::s3 : Backend::local;
}

void payload_signing(const YamlValue& value, StorageSettings& storage) {
  using Signing = StorageSettings::PayloadSigning;
  constexpr std::array<Signing, 3> all{Signing::automatic, Signing::always, Signing::never};
  storage.payload_signing = all[value.choice({"automatic", "always", "never"})];
}

constexpr int many = 1'000'000;
constexpr std::uint64_t mebibyte = 1ULL << 20;
constexpr std::uint64_t tebibyte = 1ULL << 40;

constexpr Key<DatabaseSettings> database_keys[] = {
    {"url", text<&DatabaseSettings::url>},
    {"password_file", text<&DatabaseSettings::password_file>},
    {"embedded", text<&DatabaseSettings::embedded>},
    {"connections_max", count<&DatabaseSettings::connections_max, 2, 1000>},
};

constexpr Key<StorageSettings> storage_keys[] = {
    {"backend", backend},
    {"directory", text<&StorageSettings::directory>},
    {"endpoint", text<&StorageSettings::endpoint>},
    {"public_endpoint", text<&StorageSettings::public_endpoint>},
    {"region", text<&StorageSettings::region>},
    {"bucket", text<&StorageSettings::bucket>},
    {"path_style", boolean<&StorageSettings::path_style>},
    {"access_key_id", text<&StorageSettings::access_key_id>},
    {"secret_access_key_file", text<&StorageSettings::secret_access_key_file>},
    {"session_token_file", text<&StorageSettings::session_token_file>},
    {"prefix", text<&StorageSettings::prefix>},
    {"payload_signing", payload_signing},
    {"connections_max", count<&StorageSettings::connections_max, 1, 1000>},
    {"retry_for", duration<&StorageSettings::retry_for>},
    {"equal_parts", boolean<&StorageSettings::equal_parts>},
    {"part_copy", boolean<&StorageSettings::part_copy>},
    {"ca_file", text<&StorageSettings::ca_file>},
};

using Limits = LimitSettings;

/// Unlike its neighbours': without one, connections that never log in would keep all the room.
void login_deadline(const YamlValue& value, Limits& limits) {
  const auto deadline = value.duration();
  if (deadline < std::chrono::seconds{1}) {
    value.fail("'limits.login_deadline' must be at least 1s: it cannot be turned off");
  }
  limits.login_deadline = deadline;
}

constexpr Key<Limits> limits_keys[] = {
    {"connections_max", count<&Limits::connections_max, 1, many>},
    {"unauthenticated_max", count<&Limits::unauthenticated_max, 1, many>},
    {"unauthenticated_per_network_max", count<&Limits::unauthenticated_per_network_max, 1, many>},
    {"channels_max", count<&Limits::channels_max, 1, 1000>},
    {"login_deadline", login_deadline},
    {"idle_timeout", duration<&Limits::idle_timeout>},
    {"keepalive_interval", duration<&Limits::keepalive_interval>},
};

/// Lower rates than 1 KiB/s would only look like a hang.
template <auto member>
void rate(const YamlValue& value, BandwidthSettings& section) {
  const std::uint64_t rate = value.size(0, tebibyte);
  if (rate > 0 && rate < 1024) {
    value.fail(fmt::format("'{}' must be 0 (no limit) or at least 1k a second", value.name()));
  }
  section.*member = rate;
}

void burst(const YamlValue& value, BandwidthSettings& section) {
  const auto burst = value.duration();
  if (burst > std::chrono::minutes{10}) value.fail("'bandwidth.burst' must be at most 10m");
  section.burst = burst;
}

constexpr Key<BandwidthSettings> bandwidth_keys[] = {
    {"upload_max", rate<&BandwidthSettings::upload_max>},
    {"download_max", rate<&BandwidthSettings::download_max>},
    {"user_upload_max", rate<&BandwidthSettings::user_upload_max>},
    {"user_download_max", rate<&BandwidthSettings::user_download_max>},
    {"burst", burst},
};

constexpr Key<MetricsSettings> metrics_keys[] = {
    {"listen", text<&MetricsSettings::listen>},
};

void export_every(const YamlValue& value, MetadataExportSettings& section) {
  section.every = std::chrono::ceil<std::chrono::seconds>(value.duration());
}

constexpr Key<MetadataExportSettings> metadata_export_keys[] = {
    {"every", export_every},
    {"keep", count<&MetadataExportSettings::keep, 1, 1000>},
};

/// The key that a misspelt one was probably meant to be: at most two letters apart.
template <class Section, std::size_t N>
std::string nearest(const std::string& given, const Key<Section> (&keys)[N]) {
  auto distance = [](std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= b.size(); ++j) {
        const std::size_t change = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
      }
    }
    return row[b.size()];
  };
  if (given.size() > 64) return {};
  std::string best;
  std::size_t best_distance = 3;
  for (const Key<Section>& key : keys) {
    const std::size_t found = distance(given, key.name);
    if (found < best_distance) {
      best = key.name;
      best_distance = found;
    }
  }
  return best;
}

template <class Section, std::size_t N>
void read_section(const YamlValue& section, const Key<Section> (&keys)[N], Section& into) {
  section.each_entry([&](const std::string& name, const YamlValue& value) {
    for (const Key<Section>& key : keys) {
      if (name == key.name) return key.read(value, into);
    }
    const std::string guess = nearest(name, keys);
    const std::string hint = guess.empty() ? "" : fmt::format(" (did you mean '{}'?)", guess);
    value.fail(fmt::format("unknown key '{}'{}", value.name(), hint));
  });
}

void check_database(const YamlValue& section, const DatabaseSettings& database) {
  if (database.url.empty() == database.embedded.empty()) {
    section.fail("'database' needs either 'url' (a PostgreSQL server) or 'embedded' (a directory)");
  }
  if (!database.embedded.empty() && !database.password_file.empty()) {
    section.fail("'database.password_file' belongs to 'database.url', not to 'embedded'");
  }
}

void check_storage(const YamlValue& section, const StorageSettings& storage) {
  if (storage.backend == StorageSettings::Backend::local) {
    if (storage.directory.empty()) section.fail("storage backend 'local' needs 'directory'");
    if (!storage.bucket.empty() || !storage.endpoint.empty() || !storage.public_endpoint.empty()) {
      section.fail("storage backend 'local' has neither 'bucket' nor 'endpoint'");
    }
    return;
  }
  if (storage.bucket.empty()) section.fail("storage backend 's3' needs 'bucket'");
  if (storage.endpoint.empty()) section.fail("storage backend 's3' needs 'endpoint'");
  const auto is_url = [](const std::string& text) {
    return text.starts_with("http://") || text.starts_with("https://");
  };
  if (!is_url(storage.endpoint)) {
    section.fail("'storage.endpoint' must begin with https:// or http://");
  }
  if (!storage.public_endpoint.empty() && !is_url(storage.public_endpoint)) {
    section.fail("'storage.public_endpoint' must begin with https:// or http://");
  }
  if (!storage.directory.empty()) {
    section.fail("'storage.directory' belongs to backend 'local', not to 's3'");
  }
  if (storage.access_key_id.empty() != storage.secret_access_key_file.empty()) {
    section.fail("'storage.access_key_id' and 'storage.secret_access_key_file' go together");
  }
}

void database(const YamlValue& value, Settings& settings) {
  read_section(value, database_keys, settings.database);
  check_database(value, settings.database);
}

void storage(const YamlValue& value, Settings& settings) {
  read_section(value, storage_keys, settings.storage);
  check_storage(value, settings.storage);
}

void limits(const YamlValue& value, Settings& settings) {
  read_section(value, limits_keys, settings.limits);
}

void bandwidth(const YamlValue& value, Settings& settings) {
  read_section(value, bandwidth_keys, settings.bandwidth);
}

void metrics(const YamlValue& value, Settings& settings) {
  read_section(value, metrics_keys, settings.metrics);
  if (settings.metrics.listen.empty()) value.fail("'metrics' needs 'listen', ADDRESS:PORT");
}

void metadata_export(const YamlValue& value, Settings& settings) {
  read_section(value, metadata_export_keys, settings.metadata_export);
}

void interrupted_uploads(const YamlValue& value, Settings& settings) {
  settings.keep_interrupted_uploads = value.choice({"keep", "discard"}) == 0;
}

void version_keep(const YamlValue& value, Settings& settings) {
  settings.version_keep = std::chrono::duration_cast<std::chrono::seconds>(value.duration());
}

void dead_object_keep(const YamlValue& value, Settings& settings) {
  settings.dead_object_keep = std::chrono::ceil<std::chrono::seconds>(value.duration());
}

void destage_after(const YamlValue& value, Settings& settings) {
  settings.destage_after = std::chrono::ceil<std::chrono::seconds>(value.duration());
}

void flatten_after_quiet(const YamlValue& value, Settings& settings) {
  settings.flatten_after_quiet = std::chrono::ceil<std::chrono::seconds>(value.duration());
}

/// What it takes off is the group's and the others': a file that its owner cannot read is a trap.
void umask(const YamlValue& value, Settings& settings) {
  const std::string digits = value.text();
  const bool octal = digits.size() >= 2 && digits.size() <= 4 &&
                     digits.find_first_not_of("01234567") == std::string::npos;
  const unsigned long mask = octal ? std::stoul(digits, nullptr, 8) : 0;
  if (!octal || mask > 077) value.fail("'umask' must be octal, from 000 to 077");
  settings.umask = static_cast<std::uint32_t>(mask);
}

void log_level(const YamlValue& value, Settings& settings) {
  constexpr std::array<const char*, 4> levels{"debug", "info", "warning", "error"};
  settings.log_level = levels[value.choice({"debug", "info", "warning", "error"})];
}

constexpr Key<Settings> top_keys[] = {
    {"listen", texts<&Settings::listen>},
    {"host_keys", texts<&Settings::host_keys>},
    {"database", database},
    {"storage", storage},
    {"limits", limits},
    {"bandwidth", bandwidth},
    {"metrics", metrics},
    {"metadata_export", metadata_export},
    {"transfer_memory_max", size<&Settings::transfer_memory_max, 16 * mebibyte, tebibyte>},
    {"read_cache_max", size<&Settings::read_cache_max, 0, tebibyte>},
    {"read_cache_directory", text<&Settings::read_cache_directory>},
    {"read_cache_disk_max", size<&Settings::read_cache_disk_max, mebibyte, 1024 * tebibyte>},
    {"verify_reads", boolean<&Settings::verify_reads>},
    {"part_size", size<&Settings::part_size, 5 * mebibyte, 1024 * mebibyte>},
    {"inline_max", size<&Settings::inline_max, 0, 16 * mebibyte>},
    {"inline_backlog_max", size<&Settings::inline_backlog_max, 0, tebibyte>},
    {"destage_after", destage_after},
    {"scratch_directory", text<&Settings::scratch_directory>},
    {"interrupted_uploads", interrupted_uploads},
    {"umask", umask},
    {"extents_max", count<&Settings::extents_max, 16, 100'000>},
    {"flatten_after_quiet", flatten_after_quiet},
    {"version_keep", version_keep},
    {"dead_object_keep", dead_object_keep},
    {"log_level", log_level},
};

void check_whole(const YamlValue& file, const Settings& settings) {
  if (settings.database.url.empty() && settings.database.embedded.empty()) {
    file.fail("the section 'database' is missing");
  }
  if (settings.storage.bucket.empty() && settings.storage.directory.empty()) {
    file.fail("the section 'storage' is missing");
  }
  if (settings.host_keys.empty()) {
    file.fail(
        "'host_keys' is missing: name a private key, made by "
        "ssh-keygen -t ed25519 -N '' -f /etc/shoebox/ssh_host_ed25519_key");
  }
}

void make_paths_absolute(const std::filesystem::path& directory, Settings& settings) {
  auto absolute = [&directory](std::string& path) {
    if (!path.empty()) path = (directory / path).lexically_normal().string();
  };
  for (std::string& key : settings.host_keys) absolute(key);
  absolute(settings.database.embedded);
  absolute(settings.database.password_file);
  absolute(settings.storage.directory);
  absolute(settings.storage.secret_access_key_file);
  absolute(settings.storage.session_token_file);
  absolute(settings.storage.ca_file);
  if (settings.scratch_directory) absolute(*settings.scratch_directory);
  if (settings.read_cache_directory) absolute(*settings.read_cache_directory);
}

}  // namespace

Settings parse_settings(const std::string& text, const std::string& name) {
  YAML::Node node;
  try {
    node = YAML::Load(text);
  } catch (const YAML::ParserException& failure) {
    throw Error(
        fmt::format("{}:{}: this is not YAML: {}", name, failure.mark.line + 1, failure.msg));
  }
  if (!node.IsMap())
    throw Error(fmt::format("{}: the file must consist of 'key: value' lines", name));
  Settings settings;
  const YamlValue file(node, name, "", 0);
  read_section(file, top_keys, settings);
  check_whole(file, settings);
  return settings;
}

Settings load_settings(const std::string& file) {
  constexpr std::size_t size_max = 1U << 20;
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error(fmt::format("cannot read {}", file));
  std::string text(size_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > size_max) throw Error(fmt::format("{} is longer than 1 MiB", file));
  Settings settings = parse_settings(text, file);
  make_paths_absolute(std::filesystem::absolute(file).parent_path(), settings);
  return settings;
}

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  auto add = [&names](const std::string& section, const auto& keys) {
    for (const auto& key : keys) names.push_back(section + key.name);
  };
  add("", top_keys);
  add("database.", database_keys);
  add("storage.", storage_keys);
  add("limits.", limits_keys);
  add("bandwidth.", bandwidth_keys);
  add("metrics.", metrics_keys);
  add("metadata_export.", metadata_export_keys);
  return names;
}

}  // namespace sftpd::config
