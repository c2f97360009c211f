#include "model/code_memory.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>

#include "base/error.h"
#include "model/calling_library.h"
#include "model/torch_error.h"

namespace air {

namespace {

std::atomic<void (*)(const std::exception&)> end_of_program = nullptr;

}  // namespace

void watch_code_memory(void (*end)(const std::exception&)) { end_of_program = end; }

}  // namespace air

#ifdef AIR_OWN_CALLS  // sanitizers bring calls of their own

namespace {

/// Whether oneDNN calls: it is in libtorch's own library, or in one beside it.
bool is_onednn(const void* caller) {
  return air::lies_in_library(caller, {"libtorch_cpu.", "libdnnl."});
}

/// Whether a mapping is asked for as by Xbyak::MmapAllocator, oneDNN's assembler. libtorch maps
/// files by mmap64, and large tensors come from malloc. What else asks so, and could do without, is
/// NNPACK and MKL's generator of code, neither of which is used here.
bool asks_for_code(const void* place, int protection, int flags, int fd) {
  return place == nullptr && protection == (PROT_READ | PROT_WRITE) &&
         flags == (MAP_PRIVATE | MAP_ANONYMOUS) && fd == -1;
}

/// Ends the program, if it is watched.
/// @param code that of the refusal.
void refuse(const std::string& what, int code) {
  const auto end = air::end_of_program.load();
  if (end == nullptr) return;
  const std::string hint =
      code == EACCES || code == EPERM
          ? "oneDNN makes machine code as it runs, which SELinux (execmem), systemd "
            "(MemoryDenyWriteExecute) and filters of system calls can forbid"
          : air::explain(std::bad_alloc()).hint();
  end(air::Error(air::ErrorKind::kResource, "", what + ": " + std::strerror(code), hint));
}

}  // namespace

// The C library's, for all libraries of the program: the dynamic linker looks here first. malloc
// and the stacks of threads do not come this way.

extern "C" [[gnu::visibility("default")]] void* mmap(void* place, size_t size, int protection,
                                                     int flags, int fd, off_t offset) noexcept {
  const long address = ::syscall(SYS_mmap, place, size, protection, flags, fd, offset);
  if (address != -1) return reinterpret_cast<void*>(address);
  const int code = errno;
  if (asks_for_code(place, protection, flags, fd) && is_onednn(__builtin_return_address(0)))
    refuse("the system gave oneDNN no memory for the code of a product", code);
  errno = code;
  return MAP_FAILED;
}

extern "C" [[gnu::visibility("default")]] int mprotect(void* place, size_t size,
                                                       int protection) noexcept {
  if (::syscall(SYS_mprotect, place, size, protection) == 0) return 0;
  const int code = errno;
  if ((protection & PROT_EXEC) != 0 && is_onednn(__builtin_return_address(0)))
    refuse("the system did not let oneDNN run the code of a product", code);
  errno = code;
  return -1;
}

#endif
