#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "metadata/ids.h"
#include "sftpd/vfs/content/content.h"
#include "sftpd/vfs/writing/object_writer.h"

namespace sftpd::vfs {

class FileSystem;

/// Bytes of a file that are to become one object.
struct Rewriting {
  metadata::AccountId account;
  metadata::NodeId node;
  std::vector<Piece> pieces;  ///< Stored, Inline and Zeros, without gaps
  std::string mime;           ///< of the new object; empty: not known
};

/// Makes one object of them: what is large the store copies, by parallel requests; the rest is read
/// and sent (rewrite_plan.h), and compared with the checksums of what it comes from
/// (source_reader.h). The hash is known only where all bytes were sent. Waits for the store and the
/// database, on the caller's thread. `go_on` is asked before each part: nothing is returned once it
/// says no. Memory comes from the process's pool; where that is empty, one part at a time goes in a
/// buffer beyond it. Throws storage::Error, metadata::Error, content_damaged, and unsupported where
/// the store's limits allow no such object. The object is still to be published or discarded.
std::optional<WrittenObject> rewrite_object(FileSystem& files, const Rewriting& rewriting,
                                            const std::function<bool()>& go_on);

}  // namespace sftpd::vfs
