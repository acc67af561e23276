#include "sftpd/vfs/open_file/open_file.h"

#include <algorithm>
#include <utility>

#include "metadata/database.h"
#include "metadata/repositories/uploads.h"
#include "sftpd/vfs/content/content_type.h"
#include "sftpd/vfs/executor.h"
#include "sftpd/vfs/filesystem.h"
#include "sftpd/vfs/node_attributes.h"
#include "sftpd/vfs/open_file/open_files.h"
#include "sftpd/vfs/writing/memory_pool.h"
#include "sftpd/vfs/writing/object_writer.h"

namespace sftpd::vfs {

OpenFile::OpenFile(FileSystem& files, metadata::AccountId account, metadata::UserId user,
                   const metadata::Node& node, Content content, std::string mime)
    : files_(files),
      account_(account),
      file_id_(node.file),
      user_(user),
      operations_(files.executor(), files.memory()),
      connections_seen_(files.database().connections_made()),
      node_(node),
      row_ctime_(node.ctime),
      size_(node.size),
      content_(content),
      base_(std::move(content)),
      base_size_(node.size),
      mime_(std::move(mime)),
      fold_at_(pieces_before_fold()),
      upload_chain_(new_upload_chain()) {}

OpenFile::~OpenFile() {
  if (stream_) stream_->abandon();
  discard_finished();
}

storage::Future<void> OpenFile::submit(Operation operation, Effect effect) {
  const bool changes = effect == Effect::changes_content;
  if (changes) ++changes_queued_;
  auto tracked = [this, changes, operation = std::move(operation)](bool may_wait) {
    try {
      const Step step = operation(may_wait);
      if (step == Step::done && changes) --changes_queued_;
      return step;
    } catch (...) {
      if (changes) --changes_queued_;
      throw as_vfs_error(std::current_exception());
    }
  };
  return operations_.submit(shared_from_this(), std::move(tracked));
}

storage::Future<void> OpenFile::submit(Operation operation, Effect effect, Expected expected) {
  std::uint64_t number = 0;
  {
    std::lock_guard lock(mutex_);
    // Its end, not its length: an operation that has just taken effect is counted once more.
    if (expected.appended > 0) expected.write_end = attributes_locked().size + expected.appended;
    number = next_expected_++;
    expected_.emplace(number, expected);
  }
  auto forgets = [this, number] {
    std::lock_guard lock(mutex_);
    expected_.erase(number);
  };
  return submit(
      [operation = std::move(operation), forgets](bool may_wait) {
        try {
          const Step step = operation(may_wait);
          if (step == Step::done) forgets();
          return step;
        } catch (...) {
          forgets();
          throw;
        }
      },
      effect);
}

void OpenFile::Expected::apply_to(Attributes& attributes) const {
  attributes.size = changes.size.value_or(std::max(attributes.size, write_end));
  if (changes.permissions) attributes.permissions = *changes.permissions & 07777;
  if (changes.atime) attributes.atime = *changes.atime;
  if (changes.mtime) attributes.mtime = *changes.mtime;
}

// --- Writing -----------------------------------------------------------------------------------

storage::Future<void> OpenFile::write(const OpenFlags& flags, std::uint64_t offset,
                                      storage::Payload bytes) {
  Expected expected;
  if (flags.append) {
    expected.appended = bytes.size();
  } else if (!bytes.empty()) {
    expected.write_end = offset + bytes.size();
  }
  return submit(
      [this, flags, offset, bytes = std::move(bytes)](bool may_wait) {
        try {
          return write_step(flags, offset, bytes, may_wait);
        } catch (...) {
          remember_failure();
          throw;
        }
      },
      Effect::changes_content, expected);
}

Step OpenFile::write_step(const OpenFlags& flags, std::uint64_t offset,
                          const storage::Payload& bytes, bool may_wait) {
  throw_if_failed();
  if (bytes.empty()) return Step::done;
  bool spoils = false;
  bool crowded = false;
  {
    std::lock_guard lock(mutex_);
    if (flags.append) offset = size_;
    expect_possible(offset, bytes.size());
    const bool streams = stream_ && stream_->accepts(offset, bytes.size());
    spoils = !streams && recoverable_behind_locked(offset);
    const bool scratches = !spoils && !streams && !may_stream(flags, offset);
    crowded = scratches && dirty_ && content_.count() >= fold_at_;
    if (scratches && !crowded) {
      scratch_write_locked(offset, bytes.bytes());
      size_ = std::max(size_, offset + bytes.size());
      touch_locked();
      return Step::done;
    }
  }
  if (!spoils && !crowded) return stream_step(offset, bytes, may_wait);
  if (!may_wait) return Step::needs_thread;
  if (spoils) end_recovery();
  if (crowded && fold() != Step::done) return Step::needs_memory;
  return write_step(flags, offset, bytes, may_wait);
}

/// Whether an object should be started here: for what is written from the beginning or at the end.
/// Handles that also read get one only for a file that they fill.
bool OpenFile::may_stream(const OpenFlags& flags, std::uint64_t offset) {
  const bool at_end = offset == size_;
  if (flags.read) return at_end && (size_ == 0 || stream_);
  return at_end || offset == 0;
}

Step OpenFile::stream_step(std::uint64_t offset, const storage::Payload& bytes, bool may_wait) {
  for (;;) {
    bool fits = false;
    {
      std::lock_guard lock(mutex_);
      if (!stream_) {
        stream_ = std::make_shared<ObjectWriter>(files_, account_, node_.id, file_id_, user_,
                                                 offset, recovery_locked(offset), upload_chain_,
                                                 node_.version, hashed_.up_to(offset));
      }
      fits = stream_->accepts(offset, bytes.size());
    }
    if (fits) {
      const auto result = stream_->write(offset, bytes.bytes());
      if (result == ObjectWriter::Result::taken) break;
      if (result == ObjectWriter::Result::busy) return Step::needs_memory;
      if (result == ObjectWriter::Result::wait) {
        files_.open_files().relieve_pressure(*this);
        return Step::needs_memory;
      }
    }
    if (!may_wait) return Step::needs_thread;
    cut_stream(false);
  }
  std::lock_guard lock(mutex_);
  content_.assign(offset, bytes.size(), Streamed{stream_, offset - stream_->file_offset()});
  size_ = std::max(size_, offset + bytes.size());
  touch_locked();
  return Step::done;
}

void OpenFile::scratch_write_locked(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (!scratch_) scratch_ = std::make_unique<ScratchFile>(files_.options().scratch_directory);
  scratch_->write(offset, bytes);
  content_.assign(offset, bytes.size(), Scratch{offset});
}

void OpenFile::touch_locked() {
  dirty_ = true;
  node_.mtime = node_.ctime = now();
}

/// Of content with these first bytes. An edit of a few of them says nothing about the rest.
void OpenFile::name_type_locked(std::span<const std::byte> head) {
  const bool is_all = head.size() >= std::min<std::uint64_t>(ContentType::head_size, size_);
  if (is_all || mime_.empty()) mime_ = files_.content_type().detect(head);
}

/// Finishes the object that streams. What arrived behind a gap moves to the scratch file.
void OpenFile::cut_stream(bool final_one) {
  std::shared_ptr<ObjectWriter> writer;
  try {
    {
      std::lock_guard lock(mutex_);
      writer = stream_;
      if (!writer) return;
      save_leftovers_locked(*writer);
      if (writer->file_offset() == 0) name_type_locked(writer->head());
      if (writer->end() == writer->file_offset()) {
        writer->abandon();
        stream_ = nullptr;
        return;
      }
    }
    end_stream(writer, final_one);
  } catch (...) {
    remember_failure();
    throw;
  }
}

/// A failure is remembered, and told to those who write.
void OpenFile::cut_stream_for_others() try { cut_stream(false); } catch (const std::exception&) {
}

void OpenFile::end_stream(const std::shared_ptr<ObjectWriter>& writer, bool final_one) {
  WrittenObject written = writer->finish(mime_);
  const bool recoverable =
      writer->recovery() == ObjectWriter::Recovery::possible && !written.duplicate;
  if (!final_one && recoverable && !written.upload_row) {
    // So that the received prefix survives this process.
    files_.database().transact_repeatable(
        [&](metadata::Transaction& tx) {
          metadata::Uploads(tx).begin(account_, written.row.object, node(), file_id_, user_, "",
                                      writer->file_offset(), upload_chain_, writer->base());
        },
        metadata::Durability::later);
    written.upload_row = true;
  }
  bool nameless = false;
  {
    std::lock_guard lock(mutex_);
    if (recoverable) recoverable_end_ = writer->file_offset() + written.row.size;
    content_.replace(writer.get(),
                     Stored{written.row.object, std::make_shared<const std::string>(written.key),
                            written.row.size, 0, shared_checksums(written.row)});
    hashed_.add(writer->file_offset(), written);
    finished_.push_back(std::move(written));
    stream_ = nullptr;
    nameless = orphaned_;
  }
  if (nameless) end_recovery_of_orphan();
}

void OpenFile::save_leftovers_locked(ObjectWriter& writer) {
  const auto leftovers = writer.take_leftovers();
  if (!leftovers.empty() && !gap_) gap_ = writer.end();
  for (const auto& leftover : leftovers) {
    const std::uint64_t begin = writer.file_offset() + leftover.offset;
    for (const auto& piece : content_.pieces(begin, leftover.bytes.size())) {
      const auto* streamed = std::get_if<Streamed>(&piece.source);
      if (!streamed || streamed->writer.get() != &writer) continue;
      scratch_write_locked(piece.offset,
                           std::span(leftover.bytes)
                               .subspan(static_cast<std::size_t>(piece.offset - begin),
                                        static_cast<std::size_t>(piece.length)));
    }
  }
}

void OpenFile::relieve() {
  (void)submit(
      [this](bool may_wait) {
        if (!may_wait) return Step::needs_thread;
        cut_stream_for_others();
        files_.open_files().relieved();
        return Step::done;
      },
      Effect::none);
}

std::size_t OpenFile::buffered() {
  std::lock_guard lock(mutex_);
  return stream_ ? stream_->held() : 0;
}

// --- The file among others ---------------------------------------------------------------------

bool OpenFile::is_being_written() {
  std::lock_guard lock(mutex_);
  return writers_ > 0 || dirty_;
}

metadata::NodeId OpenFile::node() {
  std::lock_guard lock(mutex_);
  return node_.id;
}

std::optional<metadata::VersionId> OpenFile::version() {
  std::lock_guard lock(mutex_);
  return node_.version;
}

bool OpenFile::catch_up(metadata::NodeId node) {
  std::lock_guard publishing(publish_mutex_);
  {
    std::lock_guard lock(mutex_);
    if (orphaned_) return false;
    if (dirty_ || stream_) return true;
  }
  const auto found = files_.database().query(
      [&](metadata::Transaction& tx) { return metadata::Nodes(tx).find(account_, node); });
  if (!found || found->file != file_id_) return false;
  metadata::Version version;
  if (found->version) version = load_version(files_, account_, *found->version);
  std::lock_guard lock(mutex_);
  if (dirty_ || stream_ || found->version == node_.version) return true;
  node_ = *found;
  row_ctime_ = found->ctime;
  size_ = base_size_ = found->size;
  content_ = base_ = Content::of(version);
  mime_ = std::move(version.mime);
  return true;
}

void OpenFile::created() {
  std::lock_guard lock(mutex_);
  created_ = true;
}

void OpenFile::orphan(const std::function<void()>& remove_name) {
  {
    std::lock_guard publishing(publish_mutex_);
    remove_name();
    std::lock_guard lock(mutex_);
    orphaned_ = true;
  }
  end_recovery_of_orphan();
}

void OpenFile::move_to_node(metadata::NodeId node) {
  std::lock_guard lock(mutex_);
  node_.id = node;
}

}  // namespace sftpd::vfs
