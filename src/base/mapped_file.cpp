#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/mapped_watch.h"
#include "base/system_error.h"

namespace air {

MappedFile::MappedFile(const std::filesystem::path& path, ErrorKind kind) : path_(path) {
  // A pipe is opened without its writer, and refused.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) throw Error(kind, path.string(), std::strerror(errno));
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    throw Error(kind, path.string(), "not a regular file");
  }
  size_ = static_cast<size_t>(info.st_size);
  if (size_ > 0) {
    void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    const int error = errno;
    ::close(fd);
    if (address == MAP_FAILED)
      throw Error(error == ENOMEM ? ErrorKind::kResource : kind, path.string(),
                  std::string("can't be mapped: ") + std::strerror(error),
                  error == ENOMEM ? memory_limit_hint() : "");
    data_ = static_cast<const char*>(address);
    watch_mapping(*this, kind);
  } else {
    ::close(fd);
  }
}

MappedFile::~MappedFile() {
  unwatch_mapping(*this);
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

void MappedFile::forget(std::string_view part) const {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const auto end = (reinterpret_cast<uintptr_t>(part.data()) + part.size()) / page * page;
  // Advice only: where the system does not take it, memory is given back later.
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace air
