#include "storage/s3/xml.h"

#include <fmt/format.h>

#include <charconv>
#include <pugixml.hpp>

namespace storage::s3 {
namespace {

// pugixml resolves only the five built-in entities and fetches nothing.
constexpr unsigned parse_options = pugi::parse_default | pugi::parse_ws_pcdata_single;

class Document {
 public:
  explicit Document(std::string_view xml) {
    if (xml.size() > xml_size_max) return;
    ok_ = static_cast<bool>(
        document_.load_buffer(xml.data(), xml.size(), parse_options, pugi::encoding_utf8));
  }
  /// The root element, if it has this name.
  pugi::xml_node root(const char* name) const {
    const pugi::xml_node root = document_.document_element();
    return ok_ && std::string_view(root.name()) == name ? root : pugi::xml_node();
  }

 private:
  pugi::xml_document document_;
  bool ok_ = false;
};

std::string text(pugi::xml_node parent, const char* child) { return parent.child_value(child); }

template <class Number>
std::optional<Number> number(std::string_view digits) {
  Number value{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

bool is_truncated(pugi::xml_node root) { return text(root, "IsTruncated") == "true"; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Keys of encoding-type=url: %XX, and a plus for a space.
std::string url_decoded(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low >= 0) {
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

// A result's tag; a document without one is no answer.
std::optional<ETag> etag_of(pugi::xml_node root) {
  ETag etag = unquoted_etag(root.child_value("ETag"));
  if (etag.text.empty()) return std::nullopt;
  return etag;
}

std::string xml_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

}  // namespace

std::optional<ErrorAnswer> parse_error(std::string_view xml) {
  const Document document(xml);
  const auto root = document.root("Error");
  if (!root) return std::nullopt;
  return ErrorAnswer{
      .code = text(root, "Code"), .message = text(root, "Message"), .region = text(root, "Region")};
}

std::optional<UploadId> parse_created_upload(std::string_view xml) {
  const Document document(xml);
  UploadId id{text(document.root("InitiateMultipartUploadResult"), "UploadId")};
  if (id.text.empty()) return std::nullopt;
  return id;
}

std::optional<ETag> parse_completed_upload(std::string_view xml) {
  const Document document(xml);
  return etag_of(document.root("CompleteMultipartUploadResult"));
}

std::optional<ETag> parse_copied_part(std::string_view xml) {
  const Document document(xml);
  // The API documentation names CopyPartResult; some stores send CopyObjectResult.
  auto root = document.root("CopyPartResult");
  if (!root) root = document.root("CopyObjectResult");
  return etag_of(root);
}

std::optional<ListedKeys> parse_listed_keys(std::string_view xml) {
  const Document document(xml);
  const auto root = document.root("ListBucketResult");
  if (!root) return std::nullopt;
  const bool encoded = text(root, "EncodingType") == "url";
  ListedKeys listed;
  for (const auto item : root.children("Contents")) {
    const auto size = number<std::uint64_t>(item.child_value("Size"));
    const auto modified = parse_iso_time(item.child_value("LastModified"));
    if (!size || !modified) return std::nullopt;
    const std::string key = text(item, "Key");
    listed.objects.push_back(
        {.key = {encoded ? url_decoded(key) : key}, .size_bytes = *size, .modified = *modified});
  }
  if (is_truncated(root)) listed.next = text(root, "NextContinuationToken");
  return listed;
}

std::optional<ListedUploads> parse_listed_uploads(std::string_view xml) {
  const Document document(xml);
  const auto root = document.root("ListMultipartUploadsResult");
  if (!root) return std::nullopt;
  ListedUploads listed;
  for (const auto item : root.children("Upload")) {
    listed.uploads.push_back({.key = text(item, "Key"), .id = {text(item, "UploadId")}});
  }
  listed.truncated = is_truncated(root);
  listed.next_key = text(root, "NextKeyMarker");
  listed.next_upload = text(root, "NextUploadIdMarker");
  return listed;
}

std::optional<ListedParts> parse_listed_parts(std::string_view xml) {
  const Document document(xml);
  const auto root = document.root("ListPartsResult");
  if (!root) return std::nullopt;
  ListedParts listed;
  for (const auto item : root.children("Part")) {
    const auto part_number = number<int>(item.child_value("PartNumber"));
    const auto size = number<std::uint64_t>(item.child_value("Size"));
    if (!part_number || !size) return std::nullopt;
    listed.parts.push_back({.number = *part_number,
                            .etag = unquoted_etag(item.child_value("ETag")),
                            .size_bytes = *size});
  }
  listed.truncated = is_truncated(root);
  listed.next_number = text(root, "NextPartNumberMarker");
  return listed;
}

std::string write_complete_upload(const std::vector<CompletedPart>& parts) {
  std::string xml = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (const auto& part : parts) {
    xml += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", part.number,
                       xml_escaped(quoted_etag(part.etag)));
  }
  return xml + "</CompleteMultipartUpload>";
}

ETag unquoted_etag(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, text.size() - 2);
  }
  return {std::string(text)};
}

std::string quoted_etag(const ETag& etag) { return '"' + etag.text + '"'; }

std::optional<std::chrono::system_clock::time_point> parse_iso_time(std::string_view text) {
  constexpr std::string_view form = "0000-00-00T00:00:00";
  if (text.size() < form.size()) return std::nullopt;
  for (std::size_t i = 0; i < form.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (form[i] == '0' ? !digit : text[i] != form[i]) return std::nullopt;
  }
  const auto field = [&](std::size_t at, std::size_t size) {
    return *number<int>(text.substr(at, size));
  };
  using namespace std::chrono;
  const year_month_day date{year(field(0, 4)), month(static_cast<unsigned>(field(5, 2))),
                            day(static_cast<unsigned>(field(8, 2)))};
  // Years that a clock with nanoseconds can tell (1678 to 2261), with room for the hours.
  if (!date.ok() || date.year() < year(1700) || date.year() > year(2200)) return std::nullopt;
  return sys_days(date) + hours(field(11, 2)) + minutes(field(14, 2)) + seconds(field(17, 2));
}

}  // namespace storage::s3
