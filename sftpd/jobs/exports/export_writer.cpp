#include "sftpd/jobs/exports/export_writer.h"

#include <fmt/format.h>

#include <utility>

namespace sftpd::jobs {

void ExportWriter::add(const std::string& table, std::string_view row) {
  if (current_.table != table || file_.size_bytes() >= file_size_max_) {
    store_file();
    current_.table = table;
  }
  file_.add(row);
  file_.add("\n");
  ++current_.rows;
}

void ExportWriter::finish(Manifest& manifest) {
  store_file();
  manifest.files = files_;
  put("manifest", storage::Payload::copy_of(manifest.text()), "text/plain");
}

void ExportWriter::store_file() {
  if (current_.rows == 0) return;
  storage::Payload body(file_.finish());
  current_.name = fmt::format("{:05}-{}.jsonl.gz", files_.size() + 1, current_.table);
  current_.size_bytes = body.size();
  current_.sha256 = sha256_hex(body.text());
  put(current_.name, std::move(body), "application/gzip");
  files_.push_back(std::exchange(current_, {}));
}

void ExportWriter::put(const std::string& name, storage::Payload body, std::string type) {
  const storage::ObjectKey key{directory_ + "/" + name};
  storage::PutOptions options;
  options.content_type = std::move(type);
  options.user_metadata["oid"] = key.text;  // Unique, as each export's directory is.
  store_.put(key, std::move(body), std::move(options)).get();
}

}  // namespace sftpd::jobs
