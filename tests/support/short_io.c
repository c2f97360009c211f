// A preload that makes reads and writes return less than was asked for, or EINTR, at random: what
// the system may do at any time. scripts/check_faults.py uses it.
//
//     LD_PRELOAD=libshort_io.so SHORT_IO_SEED=1 air …
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t state;

/// SplitMix64.
static uint64_t draw(void) {
  pthread_mutex_lock(&lock);
  if (state == 0) {
    const char* seed = getenv("SHORT_IO_SEED");
    state = seed != NULL ? strtoull(seed, NULL, 10) * 2 + 1 : 1;
  }
  uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  pthread_mutex_unlock(&lock);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

/// One call in four is interrupted, one in two does less. @return 0: EINTR
static size_t allowed(size_t size) {
  const uint64_t number = draw();
  if (number % 4 == 0) {
    errno = EINTR;
    return 0;
  }
  return number % 4 < 3 && size > 1 ? 1 + (number >> 8) % (size - 1) : size;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t read(int fd, void* out, size_t size) {
  const size_t most = size == 0 ? 0 : allowed(size);
  if (size > 0 && most == 0) return -1;
  return REAL(read)(fd, out, most);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  const size_t most = size == 0 ? 0 : allowed(size);
  if (size > 0 && most == 0) return -1;
  return REAL(write)(fd, bytes, most);
}

ssize_t pread(int fd, void* out, size_t size, off_t offset) {
  const size_t most = size == 0 ? 0 : allowed(size);
  if (size > 0 && most == 0) return -1;
  return REAL(pread)(fd, out, most, offset);
}

ssize_t pread64(int fd, void* out, size_t size, off64_t offset) {
  const size_t most = size == 0 ? 0 : allowed(size);
  if (size > 0 && most == 0) return -1;
  return REAL(pread64)(fd, out, most, offset);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  const size_t most = size == 0 ? 0 : allowed(size);
  if (size > 0 && most == 0) return -1;
  return REAL(pwrite)(fd, bytes, most, offset);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  const size_t most = size == 0 ? 0 : allowed(size);
  if (size > 0 && most == 0) return -1;
  return REAL(pwrite64)(fd, bytes, most, offset);
}

int fsync(int fd) {
  if (draw() % 4 == 0) return (errno = EINTR), -1;
  return REAL(fsync)(fd);
}

int fdatasync(int fd) {
  if (draw() % 4 == 0) return (errno = EINTR), -1;
  return REAL(fdatasync)(fd);
}
