#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <limits>
#include <span>

#include "sftpd/config/settings.h"
#include "sftpd/config/yaml_value.h"

namespace sftpd::config {
namespace {

using Read = void (*)(const YamlValue& value, Settings& settings);

/// A key and what it does to the settings. To add one, add its row, and describe it in
/// etc/shoebox.yaml.
struct Key {
  const char* name;
  Read read;
};

constexpr std::uint64_t mebibyte = 1ULL << 20;
constexpr std::uint64_t tebibyte = 1ULL << 40;

int count_of(const YamlValue& value, std::uint64_t min = 1, std::uint64_t max = 1'000'000) {
  return static_cast<int>(value.number(min, max));
}

std::chrono::seconds seconds_of(const YamlValue& value) {
  return std::chrono::duration_cast<std::chrono::seconds>(value.duration());
}

constexpr Key database_keys[] = {
    {"url",             [](const YamlValue& v, Settings& s) { s.database.url = v.text(); }                        },
    {"password_file",   [](const YamlValue& v, Settings& s) { s.database.password_file = v.text(); }              },
    {"embedded",        [](const YamlValue& v, Settings& s) { s.database.embedded = v.text(); }                   },
    {"connections_max",
     [](const YamlValue& v,                    Settings& s) { s.database.connections_max = count_of(v, 2, 1000); }},
};

constexpr Key storage_keys[] = {
    {"backend",
     [](const YamlValue& v,                           Settings& s) {
       s.storage.backend = v.choice({"s3", "local"}) == 0 ? StorageSettings::Backend::s3
                                                          : StorageSettings::Backend::local;
     }                                                                                    },
    {"directory",              [](const YamlValue& v, Settings& s) { s.storage.directory = v.text(); }               },
    {"endpoint",               [](const YamlValue& v, Settings& s) { s.storage.endpoint = v.text(); }                },
    {"region",                 [](const YamlValue& v, Settings& s) { s.storage.region = v.text(); }                  },
    {"bucket",                 [](const YamlValue& v, Settings& s) { s.storage.bucket = v.text(); }                  },
    {"path_style",             [](const YamlValue& v, Settings& s) { s.storage.path_style = v.boolean(); }           },
    {"access_key_id",          [](const YamlValue& v, Settings& s) { s.storage.access_key_id = v.text(); }           },
    {"secret_access_key_file",
     [](const YamlValue& v,                           Settings& s) { s.storage.secret_access_key_file = v.text(); }  },
    {"session_token_file",
     [](const YamlValue& v,                           Settings& s) { s.storage.session_token_file = v.text(); }      },
    {"prefix",                 [](const YamlValue& v, Settings& s) { s.storage.prefix = v.text(); }                  },
    {"payload_signing",
     [](const YamlValue& v,                           Settings& s) { s.storage.payload_signing = v.boolean(); }      },
    {"connections_max",
     [](const YamlValue& v,                           Settings& s) { s.storage.connections_max = v.number(1, 1000); }},
    {"ca_file",                [](const YamlValue& v, Settings& s) { s.storage.ca_file = v.text(); }                 },
};

constexpr Key limits_keys[] = {
    {"connections_max",
     [](const YamlValue& v,                                Settings& s) { s.limits.connections_max = count_of(v); }            },
    {"unauthenticated_max",
     [](const YamlValue& v,                                Settings& s) { s.limits.unauthenticated_max = count_of(v); }        },
    {"connections_per_address_max",
     [](const YamlValue& v,                                Settings& s) { s.limits.connections_per_address_max = count_of(v); }},
    {"login_deadline",
     [](const YamlValue& v,                                Settings& s) { s.limits.login_deadline = v.duration(); }            },
    {"idle_timeout",                [](const YamlValue& v, Settings& s) { s.limits.idle_timeout = v.duration(); }              },
    {"channels_max",
     [](const YamlValue& v,                                Settings& s) { s.limits.channels_max = count_of(v, 1, 1000); }      },
};

/// The key that a misspelt one was probably meant to be: at most two letters apart.
std::string nearest(const std::string& given, std::span<const Key> keys) {
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
  for (const Key& key : keys) {
    const std::size_t found = distance(given, key.name);
    if (found < best_distance) {
      best = key.name;
      best_distance = found;
    }
  }
  return best;
}

void read_section(const YamlValue& section, std::span<const Key> keys, Settings& settings) {
  section.each_entry([&](const std::string& name, const YamlValue& value) {
    for (const Key& key : keys) {
      if (name == key.name) return key.read(value, settings);
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
    if (!storage.bucket.empty() || !storage.endpoint.empty()) {
      section.fail("storage backend 'local' has neither 'bucket' nor 'endpoint'");
    }
    return;
  }
  if (storage.bucket.empty()) section.fail("storage backend 's3' needs 'bucket'");
  if (storage.endpoint.empty()) section.fail("storage backend 's3' needs 'endpoint'");
  if (!storage.endpoint.starts_with("http://") && !storage.endpoint.starts_with("https://")) {
    section.fail("'storage.endpoint' must begin with https:// or http://");
  }
  if (!storage.directory.empty()) {
    section.fail("'storage.directory' belongs to backend 'local', not to 's3'");
  }
  if (storage.access_key_id.empty() != storage.secret_access_key_file.empty()) {
    section.fail("'storage.access_key_id' and 'storage.secret_access_key_file' go together");
  }
}

constexpr Key top_keys[] = {
    {"listen",              [](const YamlValue& v, Settings& s) { s.listen = v.texts(); }                               },
    {"host_keys",           [](const YamlValue& v, Settings& s) { s.host_keys = v.texts(); }                            },
    {"database",
     [](const YamlValue& v,                        Settings& s) {
       read_section(v, database_keys, s);
       check_database(v, s.database);
     }                                                                                       },
    {"storage",
     [](const YamlValue& v,                        Settings& s) {
       read_section(v, storage_keys, s);
       check_storage(v, s.storage);
     }                                                                                       },
    {"limits",              [](const YamlValue& v, Settings& s) { read_section(v, limits_keys, s); }                    },
    {"transfer_memory_max",
     [](const YamlValue& v,                        Settings& s) {
       s.transfer_memory_max = v.size(16 * mebibyte, tebibyte);
     }                                                                                       },
    {"read_cache_max",
     [](const YamlValue& v,                        Settings& s) { s.read_cache_max = v.size(0, tebibyte); }             },
    {"part_size",
     [](const YamlValue& v,                        Settings& s) { s.part_size = v.size(5 * mebibyte, 1024 * mebibyte); }},
    {"inline_max",
     [](const YamlValue& v,                        Settings& s) { s.inline_max = v.size(0, 16 * mebibyte); }            },
    {"scratch_directory",   [](const YamlValue& v, Settings& s) { s.scratch_directory = v.text(); }                     },
    {"interrupted_uploads",
     [](const YamlValue& v,                        Settings& s) {
       s.keep_interrupted_uploads = v.choice({"keep", "discard"}) == 0;
     }                                                                                       },
    {"version_keep",        [](const YamlValue& v, Settings& s) { s.version_keep = seconds_of(v); }                     },
    {"log_level",
     [](const YamlValue& v,                        Settings& s) {
       constexpr std::array<const char*, 5> levels{"trace", "debug", "info", "warn", "error"};
       s.log_level = levels[v.choice({"trace", "debug", "info", "warn", "error"})];
     }                                                                                       },
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
  return parse_settings(text, file);
}

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  auto add = [&names](const std::string& section, std::span<const Key> keys) {
    for (const Key& key : keys) names.push_back(section + key.name);
  };
  for (const Key& key : top_keys) {
    const std::string name = key.name;
    if (name == "database") {
      add("database.", database_keys);
    } else if (name == "storage") {
      add("storage.", storage_keys);
    } else if (name == "limits") {
      add("limits.", limits_keys);
    } else {
      names.push_back(name);
    }
  }
  return names;
}

}  // namespace sftpd::config
