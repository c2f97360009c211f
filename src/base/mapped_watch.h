// What happens to files while they are mapped: others may cut them off or write into them.
#pragma once

#include <optional>

#include "base/error.h"
#include "base/mapped_file.h"

namespace air {

/// @throws Error of the file's kind that names it, when a file that is mapped now has been changed
///   in place since (its size or time of change). What was computed from it must not be used.
void check_mapped_files();

/// A file that is mapped, for the handler of SIGBUS: reading beyond the end of a file that became
/// shorter raises it.
struct MappedPlace {
  const char* path;
  ErrorKind kind;
};
/// The file that is mapped at an address; none: no file of ours. Safe in a signal handler.
std::optional<MappedPlace> mapped_at(const void* address) noexcept;

/// For MappedFile: notes a mapping, and forgets it.
void watch_mapping(const MappedFile& file, ErrorKind kind);
void unwatch_mapping(const MappedFile& file) noexcept;

}  // namespace air
