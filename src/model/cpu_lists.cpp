#include "model/cpu_lists.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <string>

#include "base/error.h"
#include "model/calling_library.h"

namespace air {

namespace {

std::atomic<void (*)(const std::exception&)> end_of_program = nullptr;

}  // namespace

void watch_cpu_lists(void (*end)(const std::exception&)) { end_of_program = end; }

}  // namespace air

#ifdef AIR_OWN_CALLS  // sanitizers bring calls of their own

namespace {

/// A file that cpuinfo opens first for its last number, then for all of them
/// (cpuinfo_x86_linux_init and cpuinfo_arm_linux_init). What it cannot read whole the first time it
/// does not open again.
struct CpuList {
  const char* path;
  std::atomic<bool> was_opened = false;
  std::atomic<int> second_fd = -1;  ///< of the second time, while it may be open
};

constinit std::array<CpuList, 2> cpu_lists = {{
    {.path = "/sys/devices/system/cpu/possible"},
    {.path = "/sys/devices/system/cpu/present"},
}};

/// cpuinfo is in libc10 or libtorch_cpu, by libtorch's version, or beside them.
bool is_cpuinfo(const void* caller) {
  return air::lies_in_library(caller, {"libc10.", "libtorch_cpu.", "libcpuinfo."});
}

/// Ends the program, if it is watched.
void refuse(const CpuList& list, const char* what, int code) {
  const auto end = air::end_of_program.load();
  if (end == nullptr) return;
  end(air::Error(air::ErrorKind::kResource, list.path, std::string(what) + std::strerror(code),
                 "libtorch read it a moment before: try again"));
}

/// Opens a file by the function `real` and notes whether it is one of the lists.
/// @param rest what follows `flags`: the mode of a file that is made.
int open_and_note(int (*real)(const char*, int, ...), const char* path, int flags, va_list rest,
                  const void* caller) {
  const bool makes_file = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  const int fd = makes_file ? real(path, flags, va_arg(rest, mode_t)) : real(path, flags);
  const int code = errno;
  for (CpuList& list : cpu_lists) {
    int same = fd;
    list.second_fd.compare_exchange_strong(same, -1);  // the number is this file's now
    if (std::strcmp(path, list.path) != 0 || !is_cpuinfo(caller)) continue;
    if (fd < 0 && list.was_opened) refuse(list, "can't be opened: ", code);
    if (fd >= 0 && list.was_opened.exchange(true)) list.second_fd = fd;
  }
  errno = code;
  return fd;
}

/// The list that cpuinfo reads for the second time from a file descriptor; null: none.
const CpuList* second_list(int fd, const void* caller) {
  for (const CpuList& list : cpu_lists)
    if (list.second_fd == fd && is_cpuinfo(caller)) return &list;
  return nullptr;
}

/// The function that would be called without those below: of a preload or the C library.
template <typename Function>
Function* next_function(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

// For all libraries of the program, as in code_memory.cpp. What the C library itself opens and
// reads does not come this way.

extern "C" [[gnu::visibility("default")]] int open(const char* path, int flags, ...) {
  static auto* const real = next_function<int(const char*, int, ...)>("open");
  va_list rest;
  va_start(rest, flags);
  const int fd = open_and_note(real, path, flags, rest, __builtin_return_address(0));
  va_end(rest);
  return fd;
}

extern "C" [[gnu::visibility("default")]] int open64(const char* path, int flags, ...) {
  static auto* const real = next_function<int(const char*, int, ...)>("open64");
  va_list rest;
  va_start(rest, flags);
  const int fd = open_and_note(real, path, flags, rest, __builtin_return_address(0));
  va_end(rest);
  return fd;
}

extern "C" [[gnu::visibility("default")]] ssize_t read(int fd, void* out, size_t size) {
  static auto* const real = next_function<ssize_t(int, void*, size_t)>("read");
  const void* const caller = __builtin_return_address(0);
  while (true) {
    const ssize_t count = real(fd, out, size);
    if (count >= 0) return count;
    const int code = errno;
    const CpuList* list = second_list(fd, caller);
    if (list != nullptr && code == EINTR) continue;  // cpuinfo takes it for an error
    if (list != nullptr) refuse(*list, "can't be read: ", code);
    errno = code;
    return count;
  }
}

#endif
