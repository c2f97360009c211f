// A file in memory, for readers that take a path; and folders in memory.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz/fuzz_target.h"

/// Temporary folders are made in memory from now on, where the system has a place for it: a target
/// writes its file anew for each input.
inline void keep_folders_in_memory() {
  constexpr const char* kShared = "/dev/shm";
  if (::access(kShared, W_OK | X_OK) == 0) ::setenv("TMPDIR", kShared, /*overwrite=*/0);
}

/// It is gone with the object. Where it is mapped, it stays until the last mapping goes.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes = {}) : fd_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    FUZZ_CHECK(fd_ >= 0);
    write(bytes);
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  void write(std::string_view bytes) {
    FUZZ_CHECK(::write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};
