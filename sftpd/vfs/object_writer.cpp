#include "sftpd/vfs/object_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "metadata/repositories/objects.h"
#include "metadata/repositories/uploads.h"
#include "sftpd/vfs/content_type.h"
#include "sftpd/vfs/executor.h"
#include "sftpd/vfs/filesystem.h"

namespace sftpd::vfs {

namespace {

/// Parts that may be filling at once: clients' out-of-order writes span some megabytes at most.
constexpr std::size_t window_parts_max = 3;
/// The smallest size for which sending a part early is allowed to be tried.
constexpr std::size_t piece_min = std::size_t{256} << 10;

std::string hex(const metadata::Sha256& hash) {
  std::string text;
  for (const std::byte byte : hash) text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

}  // namespace

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

ObjectWriter::ObjectWriter(FileSystem& files, metadata::AccountId account, metadata::NodeId node,
                           metadata::UserId user, std::uint64_t file_offset, Recovery recovery)
    : files_(files),
      account_(account),
      node_(node),
      user_(user),
      file_offset_(file_offset),
      recovery_(recovery),
      share_(files.memory()),
      hash_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
  if (!hash_ || EVP_DigestInit_ex(hash_.get(), EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
}

ObjectWriter::~ObjectWriter() = default;

/// Grows with the number, so that 10,000 parts hold terabytes (s3.md section 5); the fair part of
/// the memory bounds it, so that two parts of each file fit.
std::size_t ObjectWriter::part_target(int number) const {
  const auto& limits = files_.store().limits();
  std::size_t size = std::max<std::size_t>(files_.options().part_size, limits.part_size_min);
  if (limits.parts_equal) return size;
  for (int step = limits.parts_max / 5; step > 0 && number > step; number -= step) size *= 2;
  const std::size_t fair = share_.fair_part() / 2;
  return std::max<std::size_t>(std::min(size, fair), std::min(size, piece_min));
}

std::uint64_t ObjectWriter::end() const {
  std::lock_guard lock(window_mutex_);
  std::uint64_t end = sent_;
  for (const auto& part : window_) {
    end += part.buffer.contiguous();
    if (part.buffer.contiguous() < part.target) break;
  }
  return file_offset_ + end;
}

bool ObjectWriter::accepts(std::uint64_t offset, std::size_t length) const {
  std::lock_guard lock(window_mutex_);
  if (over_ || offset < file_offset_ + sent_) return false;
  const std::uint64_t begin = offset - file_offset_;
  if (begin == sent_ && window_.empty()) return has_numbers_left();
  std::uint64_t reach = std::uint64_t{files_.options().part_size} * 2;
  for (const auto& part : window_) reach = std::max<std::uint64_t>(reach, part.target * 2);
  return begin + length <= sent_ + reach && has_numbers_left();
}

bool ObjectWriter::has_numbers_left() const {
  return next_number_ + static_cast<int>(window_parts_max) < files_.store().limits().parts_max;
}

bool ObjectWriter::ensure_window(std::uint64_t begin, std::uint64_t end) {
  // What begins an object has to fit, whatever its length.
  const bool begins = window_.empty() && begin == sent_;
  const std::size_t size_min = files_.store().limits().part_size_min;
  for (;;) {
    const std::uint64_t reach =
        window_.empty() ? sent_ : window_.back().offset + window_.back().target;
    if (end <= reach) return true;
    // Parts below the store's minimum (memory is short) can only be an object's last ones.
    const bool small = !window_.empty() && window_.back().target < size_min;
    if (small || (window_.size() >= window_parts_max && !begins)) return false;
    const int number = next_number_ + static_cast<int>(window_.size());
    std::size_t target = part_target(number);
    if (begins && target < size_min) target = std::max<std::size_t>(target, end - reach);
    window_.push_back({number, reach, target, PartBuffer()});
  }
}

/// All or nothing: what was reserved and not used would look like bytes that can be sent.
bool ObjectWriter::reserve_for(std::uint64_t begin, std::uint64_t end) {
  auto capacity_of = [&](const Part& part) -> std::size_t {
    const std::uint64_t part_end = std::min(end, part.offset + part.target);
    if (part_end <= std::max(begin, part.offset)) return 0;
    return PartBuffer::capacity_for(static_cast<std::size_t>(part_end - part.offset));
  };
  std::size_t more = 0;
  for (const auto& part : window_) {
    more += std::max(capacity_of(part), part.buffer.capacity()) - part.buffer.capacity();
  }
  if (more > 0 && !share_.try_reserve(more)) return false;
  for (auto& part : window_) part.buffer.grow(capacity_of(part));
  return true;
}

ObjectWriter::Result ObjectWriter::no_memory() {
  const auto& limits = files_.store().limits();
  {
    std::lock_guard lock(mutex_);
    if (under_way_ > 0) return Result::wait;
  }
  // Send what is there, if the store takes so small a part in the middle of an object.
  if (!limits.parts_equal && !window_.empty()) {
    const std::size_t length = window_.front().buffer.contiguous();
    const bool alone = window_.size() == 1 || window_[1].buffer.capacity() == 0;
    if (alone && length >= limits.part_size_min && window_.front().buffer.behind_gap().empty()) {
      window_.resize(1);
      ship_front(length);
      return Result::wait;
    }
  }
  return share_.held() > 0 ? Result::cut : Result::wait;
}

ObjectWriter::Result ObjectWriter::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  {
    std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    if (under_way_ >= files_.options().parts_in_flight_max) return Result::wait;
  }
  std::lock_guard window_lock(window_mutex_);
  const std::uint64_t begin = offset - file_offset_;
  const std::uint64_t end = begin + bytes.size();
  assert(begin >= sent_);
  if (!ensure_window(begin, end)) return sent_ > 0 || !window_.empty() ? Result::cut : Result::wait;
  if (!reserve_for(begin, end)) return no_memory();
  for (auto& part : window_) {
    const std::uint64_t from = std::max(begin, part.offset);
    const std::uint64_t to = std::min(end, part.offset + part.target);
    if (from >= to) continue;
    part.buffer.write(
        static_cast<std::size_t>(from - part.offset),
        bytes.subspan(static_cast<std::size_t>(from - begin), static_cast<std::size_t>(to - from)));
  }
  while (!window_.empty() && window_.front().buffer.contiguous() == window_.front().target &&
         window_.front().target >= files_.store().limits().part_size_min) {
    ship_front(window_.front().target);
  }
  return Result::taken;
}

bool ObjectWriter::copy_out(std::uint64_t object_offset, std::span<std::byte> into) const {
  std::lock_guard lock(window_mutex_);
  if (object_offset < sent_) return false;
  const std::uint64_t end = object_offset + into.size();
  for (const auto& part : window_) {
    const std::uint64_t from = std::max(object_offset, part.offset);
    const std::uint64_t to = std::min(end, part.offset + part.target);
    if (from >= to) continue;
    const auto source = part.buffer.bytes(static_cast<std::size_t>(from - part.offset),
                                          static_cast<std::size_t>(to - from));
    std::memcpy(into.data() + (from - object_offset), source.data(), source.size());
  }
  return true;
}

std::vector<std::byte> ObjectWriter::head() const {
  std::lock_guard lock(window_mutex_);
  return head_locked();
}

std::vector<std::byte> ObjectWriter::head_locked() const {
  if (sent_ > 0 || window_.empty()) return sent_head_;
  const auto& buffer = window_.front().buffer;
  const auto bytes = buffer.bytes(0, std::min(ContentType::head_size, buffer.contiguous()));
  return {bytes.begin(), bytes.end()};
}

std::optional<std::vector<std::byte>> ObjectWriter::take_small(std::size_t max) {
  std::vector<std::byte> taken;
  {
    std::lock_guard lock(window_mutex_);
    if (sent_ > 0 || window_.empty()) return {};
    auto& front = window_.front();
    const std::size_t size = front.buffer.contiguous();
    if (size > max || size == front.target) return {};
    const auto bytes = front.buffer.bytes(0, size);
    taken.assign(bytes.begin(), bytes.end());
  }
  abandon();
  return taken;
}

std::vector<LeftoverBytes> ObjectWriter::take_leftovers() {
  std::lock_guard lock(window_mutex_);
  std::vector<LeftoverBytes> leftovers;
  bool gap = false;
  for (auto& part : window_) {
    for (const auto& [begin, length] : part.buffer.behind_gap()) {
      const auto bytes = part.buffer.bytes(begin, length);
      leftovers.push_back({part.offset + begin, {bytes.begin(), bytes.end()}});
    }
    const std::size_t contiguous = part.buffer.contiguous();
    if (gap && contiguous > 0) {
      const auto bytes = part.buffer.bytes(0, contiguous);
      leftovers.push_back({part.offset, {bytes.begin(), bytes.end()}});
    }
    gap = gap || contiguous < part.target;
  }
  return leftovers;
}

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

void ObjectWriter::send(std::shared_ptr<Shipment> shipment) {
  if (EVP_DigestUpdate(hash_.get(), shipment->bytes().data(), shipment->length) != 1) {
    throw std::bad_alloc();
  }
  if (!object_) object_ = files_.objects().take(account_);
  const storage::ObjectKey key{object_->key};
  if (!upload_) {
    upload_ = files_.store().create_upload(key, put_options({})).get();
    files_.database().transact(
        [&](metadata::Transaction& tx) {
          if (recovery_ == Recovery::possible) {
            metadata::Uploads(tx).begin(account_, object_->id, node_, user_, upload_->text,
                                        file_offset_);
          } else {
            metadata::Objects(tx).set_upload(account_, object_->id, upload_->text);
          }
        },
        metadata::Durability::later);
  }
  auto answer = files_.store().upload_part(
      key, *upload_, {shipment->number, shipment->offset},
      storage::Payload(std::shared_ptr<const void>(shipment, shipment.get()), shipment->bytes()));
  answer.on_ready([shipment, answer]() mutable { shipment->writer->part_done(*shipment, answer); });
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
  if (EVP_DigestUpdate(hash_.get(), body->bytes().data(), body->length) != 1) {
    throw std::bad_alloc();
  }
  const metadata::Sha256 sha256 = finish_hash();
  if (auto duplicate = find_duplicate(sha256, body->length)) return *duplicate;
  object_ = files_.objects().take(account_);
  storage::PutOptions options = put_options(mime);
  options.sha256_hex = hex(sha256);
  options.user_metadata["sha256"] = *options.sha256_hex;
  const auto info =
      files_.store()
          .put(storage::ObjectKey{object_->key},
               storage::Payload(std::shared_ptr<const void>(body, body.get()), body->bytes()),
               std::move(options))
          .get();
  return {{object_->id, body->length, sha256, info.etag.text, mime}, object_->key, false, false};
}

WrittenObject ObjectWriter::complete(const std::string& mime) {
  std::sort(done_.begin(), done_.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  const metadata::Sha256 sha256 = finish_hash();
  if (auto duplicate = find_duplicate(sha256, sent_)) return *duplicate;
  const auto info = files_.store()
                        .complete_upload(storage::ObjectKey{object_->key}, *upload_, done_,
                                         std::to_string(object_->id.value))
                        .get();
  return {{object_->id, sent_, sha256, info.etag.text, mime},
          object_->key,
          false,
          recovery_ == Recovery::possible};
}

std::optional<WrittenObject> ObjectWriter::find_duplicate(const metadata::Sha256& sha256,
                                                          std::uint64_t size) {
  const auto known = files_.database().query([&](metadata::Transaction& tx) {
    return metadata::Objects(tx).find_duplicate(account_, sha256, size);
  });
  if (!known) return {};
  return WrittenObject{{known->id, size, sha256, known->etag, {}}, known->key, true, false};
}

storage::PutOptions ObjectWriter::put_options(const std::string& mime) const {
  storage::PutOptions options;
  if (!mime.empty()) options.content_type = mime;
  options.user_metadata["oid"] = std::to_string(object_->id.value);
  options.user_metadata["account"] = std::to_string(account_.value);
  options.user_metadata["node"] = std::to_string(node_.value);
  return options;
}

metadata::Sha256 ObjectWriter::finish_hash() {
  metadata::Sha256 sha256{};
  unsigned size = 0;
  if (EVP_DigestFinal_ex(hash_.get(), reinterpret_cast<unsigned char*>(sha256.data()), &size) !=
      1) {
    throw std::bad_alloc();
  }
  return sha256;
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
