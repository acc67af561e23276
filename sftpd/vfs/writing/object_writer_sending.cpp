// Sending the parts of an object, and finishing or giving up on it.

#include <algorithm>
#include <cassert>

#include "metadata/repositories/objects.h"
#include "metadata/repositories/uploads.h"
#include "sftpd/vfs/content/content_type.h"
#include "sftpd/vfs/content/crc32c.h"
#include "sftpd/vfs/executor.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/writing/object_labels.h"
#include "sftpd/vfs/writing/object_writer.h"

namespace sftpd::vfs {

struct ObjectWriter::Shipment {
  std::shared_ptr<ObjectWriter> writer;
  int number = 1;
  std::uint64_t offset = 0;
  std::size_t length = 0;
  PartBuffer buffer;

  Shipment() = default;
  Shipment(const Shipment&) = delete;
  Shipment& operator=(const Shipment&) = delete;
  ~Shipment() { free_memory(); }

  std::span<const std::byte> bytes() const { return buffer.bytes(0, length); }
  /// Gives the memory back, and tells who waits for it.
  void free_memory() {
    const std::size_t capacity = buffer.capacity();
    buffer = PartBuffer();
    if (capacity > 0) writer->share_.release(capacity);
  }
};

void ObjectWriter::ship_front(std::size_t length) {
  if (sent_ == 0) sent_head_ = head_locked();
  auto shipment = std::make_shared<Shipment>();
  shipment->writer = shared_from_this();
  shipment->number = window_.front().number;
  shipment->offset = window_.front().offset;
  shipment->length = length;
  shipment->buffer = std::move(window_.front().buffer);
  window_.pop_front();
  sent_ += length;
  next_number_ = shipment->number + 1;
  {
    std::lock_guard lock(mutex_);
    queued_.push_back(std::move(shipment));
    ++under_way_;
    if (shipping_) return;
  }
  files_.executor().submit([self = shared_from_this()] { self->ship_queued(); });
}

/// Hashes and sends what is queued, in order; whoever comes second leaves it to the first.
void ObjectWriter::ship_queued() noexcept {
  std::unique_lock lock(mutex_);
  if (shipping_) return;
  shipping_ = true;
  while (!queued_.empty()) {
    auto shipment = std::move(queued_.front());
    queued_.pop_front();
    if (failure_ || over_) {
      --under_way_;
      lock.unlock();
      shipment->free_memory();
      lock.lock();
      continue;
    }
    lock.unlock();
    try {
      send(shipment);
    } catch (...) {
      fail(std::current_exception());
      shipment->free_memory();
      lock.lock();
      --under_way_;
      continue;
    }
    lock.lock();
  }
  shipping_ = false;
  changed_.notify_all();
  lock.unlock();
  discard_when_idle();
}

void ObjectWriter::add_to_checksums(std::span<const std::byte> bytes) {
  hash_.add(bytes);
  crc_ = crc32c(crc_, bytes);
}

void ObjectWriter::send(std::shared_ptr<Shipment> shipment) {
  add_to_checksums(shipment->bytes());
  if (!object_) object_ = files_.objects().take(account_);
  const storage::ObjectKey key{object_->key};
  if (!upload_) {
    upload_ = files_.store().create_upload(key, put_options(type_of(shipment->bytes()))).get();
    note_upload();
  }
  auto answer = files_.store().upload_part(
      key, *upload_, {shipment->number, shipment->offset},
      storage::Payload(std::shared_ptr<const void>(shipment, shipment.get()), shipment->bytes()));
  answer.on_ready([shipment, answer]() mutable { shipment->writer->part_done(*shipment, answer); });
}

/// By its first part: an upload's type is named when it begins. What begins in the middle of a file
/// tells nothing.
std::string ObjectWriter::type_of(std::span<const std::byte> first_part) const {
  if (file_offset_ > 0) return {};
  return files_.content_type().detect(
      first_part.first(std::min(first_part.size(), ContentType::head_size)));
}

void ObjectWriter::note_upload() {
  std::lock_guard lock(row_mutex_);
  const bool recoverable = recovery_ == Recovery::possible;
  files_.database().transact_repeatable(
      [&](metadata::Transaction& tx) {
        if (recoverable) {
          metadata::Uploads(tx).begin(account_, object_->id, node_, file_, user_, upload_->text,
                                      file_offset_, chain_, base_);
        } else {
          metadata::Objects(tx).set_upload(account_, object_->id, upload_->text);
        }
      },
      metadata::Durability::later);
  upload_row_ = recoverable;
}

void ObjectWriter::end_recovery() {
  std::lock_guard lock(row_mutex_);
  recovery_ = Recovery::impossible;
  if (!upload_row_) return;
  files_.database().transact_repeatable(
      [&](metadata::Transaction& tx) { metadata::Uploads(tx).end(account_, object_->id); },
      metadata::Durability::later);
  upload_row_ = false;
}

void ObjectWriter::part_done(Shipment& shipment, storage::Future<storage::ETag> answer) {
  std::exception_ptr failure;
  storage::ETag etag;
  try {
    etag = answer.get();
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) fail(failure);
  shipment.free_memory();
  {
    std::lock_guard lock(mutex_);
    if (!failure) done_.push_back({shipment.number, std::move(etag), shipment.length});
    --under_way_;
    changed_.notify_all();
  }
  share_.release(0);  // Whoever waited for fewer parts under way looks again.
  discard_when_idle();
}

void ObjectWriter::fail(std::exception_ptr failure) {
  std::lock_guard lock(mutex_);
  if (!failure_) failure_ = std::move(failure);
}

void ObjectWriter::wait_for_shipments() {
  ship_queued();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return under_way_ == 0 && !shipping_; });
  if (failure_) std::rethrow_exception(failure_);
}

WrittenObject ObjectWriter::finish(const std::string& mime) {
  try {
    auto body = std::make_shared<Shipment>();
    if (ship_rest(*body)) {
      wait_for_shipments();
      return end_with(complete(mime));
    }
    return end_with(put_whole(std::move(body), mime));
  } catch (...) {
    abandon();
    throw;
  }
}

WrittenObject ObjectWriter::end_with(WrittenObject written) {
  over_ = true;
  if (written.duplicate) {
    abandon();
  } else {
    free_window();
  }
  return written;
}

/// Queues what is left up to the first gap. False if nothing was sent before: then `whole` has it.
bool ObjectWriter::ship_rest(Shipment& whole) {
  std::lock_guard lock(window_mutex_);
  assert(!window_.empty() || sent_ > 0);
  if (sent_ == 0) {
    whole.writer = shared_from_this();
    whole.length = window_.front().buffer.contiguous();
    whole.buffer = std::move(window_.front().buffer);
    sent_ = whole.length;
    return false;
  }
  while (!window_.empty()) {
    const std::size_t length = window_.front().buffer.contiguous();
    const bool full = length == window_.front().target;
    if (length > 0) ship_front(length);
    if (!full) break;
  }
  return true;
}

WrittenObject ObjectWriter::put_whole(std::shared_ptr<Shipment> body, const std::string& mime) {
  add_to_checksums(body->bytes());
  const auto sha256 = continues_ ? sha256_of(body->bytes()) : Sha256Hasher(hash_).finish();
  if (auto duplicate = find_duplicate(sha256, body->length)) return *duplicate;
  object_ = files_.objects().take(account_);
  storage::PutOptions options = put_options(mime);
  options.sha256_hex = hexadecimal(sha256);
  options.user_metadata["sha256"] = *options.sha256_hex;
  const auto info =
      files_.store()
          .put(storage::ObjectKey{object_->key},
               storage::Payload(std::shared_ptr<const void>(body, body.get()), body->bytes()),
               std::move(options))
          .get();
  return {{object_->id, body->length, sha256, info.etag.text, mime, crc_},
          object_->key,
          false,
          false,
          hash_};
}

WrittenObject ObjectWriter::complete(const std::string& mime) {
  std::sort(done_.begin(), done_.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  std::optional<metadata::Sha256> sha256;
  if (!continues_) {
    sha256 = Sha256Hasher(hash_).finish();
    if (auto duplicate = find_duplicate(*sha256, sent_)) return *duplicate;
  }
  const auto info = files_.store()
                        .complete_upload(storage::ObjectKey{object_->key}, *upload_, done_,
                                         std::to_string(object_->id.value))
                        .get();
  return {{object_->id, sent_, sha256, info.etag.text, mime, crc_},
          object_->key,
          false,
          upload_row_,
          hash_};
}

std::optional<WrittenObject> ObjectWriter::find_duplicate(const metadata::Sha256& sha256,
                                                          std::uint64_t size) {
  const auto known = files_.database().query([&](metadata::Transaction& tx) {
    return metadata::Objects(tx).find_duplicate(account_, sha256, size);
  });
  if (!known) return {};
  return WrittenObject{
      {known->id, size, sha256, known->etag, {}, crc_}, known->key, true, false, hash_};
}

storage::PutOptions ObjectWriter::put_options(const std::string& mime) const {
  return labels_of(*object_, account_, node_, mime);
}

void ObjectWriter::free_window() {
  std::lock_guard lock(window_mutex_);
  std::size_t held = 0;
  for (const auto& part : window_) held += part.buffer.capacity();
  window_.clear();
  if (held > 0) share_.release(held);
}

void ObjectWriter::abandon() noexcept {
  over_ = true;
  free_window();
  {
    std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  discard_when_idle();
}

/// The collector may have the object once no part of it is under way.
void ObjectWriter::discard_when_idle() noexcept {
  {
    std::lock_guard lock(mutex_);
    if (!abandoned_ || discarded_ || under_way_ > 0 || shipping_) return;
    discarded_ = true;
    if (!object_) return;
  }
  files_.executor().submit([self = shared_from_this()] {
    self->files_.objects().discard(self->account_, self->object_->id);
  });
}

}  // namespace sftpd::vfs
