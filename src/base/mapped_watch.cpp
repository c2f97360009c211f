#include "base/mapped_watch.h"

#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string>

namespace air {

namespace {

// Shards of the largest models are a few hundred files. What finds no place is not watched.
constexpr size_t kMaxWatched = 4096;

struct Watched {
  std::atomic<const char*> begin = nullptr;  // null: free
  size_t size = 0;
  ErrorKind kind = ErrorKind::kModel;
  std::string path;
  struct stat info = {};
};

std::array<Watched, kMaxWatched>& watched() {
  static std::array<Watched, kMaxWatched> places;
  return places;
}

std::mutex& mutex() {
  static std::mutex guard;
  return guard;
}

/// Whether a file that was there is another one now, in the same place on disk. One that was
/// replaced by a rename or removed stays whole under its mapping.
bool is_changed(const Watched& file) {
  struct stat now {};
  if (::stat(file.path.c_str(), &now) != 0) return false;
  if (now.st_dev != file.info.st_dev || now.st_ino != file.info.st_ino) return false;
  return now.st_size != file.info.st_size || now.st_mtim.tv_sec != file.info.st_mtim.tv_sec ||
         now.st_mtim.tv_nsec != file.info.st_mtim.tv_nsec;
}

}  // namespace

void watch_mapping(const MappedFile& file, ErrorKind kind) {
  if (file.view().empty()) return;
  struct stat info {};
  if (::stat(file.path().c_str(), &info) != 0)
    throw Error(kind, file.path().string(), std::strerror(errno));
  const std::lock_guard lock(mutex());
  for (Watched& place : watched()) {
    if (place.begin.load() != nullptr) continue;
    place.size = file.view().size();
    place.kind = kind;
    place.path = file.path().string();
    place.info = info;
    place.begin.store(file.view().data());
    return;
  }
}

void unwatch_mapping(const MappedFile& file) noexcept {
  const std::lock_guard lock(mutex());
  for (Watched& place : watched())
    if (!file.view().empty() && place.begin.load() == file.view().data())
      place.begin.store(nullptr);
}

void check_mapped_files() {
  const std::lock_guard lock(mutex());
  for (const Watched& place : watched())
    if (place.begin.load() != nullptr && is_changed(place))
      throw Error(place.kind, place.path, "was changed while it was used",
                  "run again when nothing writes to it; --resume continues");
}

std::optional<MappedPlace> mapped_at(const void* address) noexcept {
  const auto* at = static_cast<const char*>(address);
  for (const Watched& place : watched()) {
    const char* begin = place.begin.load();
    if (begin != nullptr && at >= begin && at < begin + place.size)
      return MappedPlace{place.path.c_str(), place.kind};
  }
  return std::nullopt;
}

}  // namespace air
