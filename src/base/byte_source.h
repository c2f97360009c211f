// The bytes of an input as lines of JSON, unpacked when it is packed, whatever its name is.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

namespace air {

/// Bytes that come in order.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Reads up to `size` > 0 bytes; 0 at the end. @throws Error(kInput) when reading fails or packed
  /// data is broken or cut off.
  virtual size_t read(char* out, size_t size) = 0;
};

/// The descriptor that a path stands for: 0 for "-" and /dev/stdin, N for /dev/fd/N and
/// /proc/self/fd/N; none for other paths.
std::optional<int> named_descriptor(const std::string& path);

/// Whether an input gives its bytes only once: standard input, another open descriptor, a pipe, a
/// device. It must be opened once, and never for a look beforehand.
bool is_read_once(const std::string& path);

/// An input as lines of JSON, and how they lie in the file.
struct OpenedBytes {
  std::unique_ptr<ByteSource> source;
  bool is_as_stored = true;  ///< the bytes are those of the file, from byte `skipped` on
  bool are_rows = false;     ///< a line is the row of a table
  size_t skipped = 0;        ///< bytes of a byte order mark
};

/// A file, or "-" for standard input. Packed data (packed_source.h) is recognised by its first
/// bytes, a byte order mark at the start is skipped, and the elements of a JSON array and the rows
/// of a Parquet file are given a line each. Parquet that can't be read at any place (a pipe,
/// packed) is first copied to a temporary file.
/// @param name for messages.   @param stop ends a read that waits for a pipe: it throws
/// Interrupted.
/// @throws Error(kInput) when it can't be opened, or is a format that is not JSON (Arrow, CSV, …);
///   Error(kResource) when it is Parquet and the library for it is not there.
OpenedBytes open_bytes(const std::string& path, const std::string& name,
                       const std::stop_token& stop = {});

}  // namespace air
