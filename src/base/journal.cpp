#include "base/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "base/line_reader.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/unnamed_file.h"

namespace air {

namespace {

[[noreturn]] void throw_disk_error(const std::string& path, const std::string& what) {
  throw Error(ErrorKind::kResource, path.empty() ? "temporary file" : path,
              what + ": " + std::strerror(errno));
}

constexpr size_t kChecksumSize = 9;  // eight digits and a space

std::string checksum(std::string_view line) { return crc32_hex(line) + " "; }

/// The line without its checksum; none when they don't agree.
std::optional<std::string_view> checked(std::string_view stored) {
  if (stored.size() < kChecksumSize) return std::nullopt;
  const std::string_view line = stored.substr(kChecksumSize);
  return stored.starts_with(checksum(line)) ? std::optional(line) : std::nullopt;
}

/// A journal's first bytes, or as many of them as there are. LineReader unpacks and converts what
/// it knows by its first bytes; nothing of that begins so.
bool begins_like_a_journal(const std::string& path) {
  constexpr std::string_view kBegin = "{\"";
  char bytes[kBegin.size()];
  std::ifstream file(path, std::ios::binary);
  file.read(bytes, sizeof bytes);
  return kBegin.starts_with({bytes, static_cast<size_t>(file.gcount())});
}

/// Nothing but zeros: what a power loss leaves of a file that was never written out.
bool is_all_zeros(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::all_of(std::istreambuf_iterator<char>(file), {}, [](char c) { return c == '\0'; });
}

/// Names the first key in which two runs differ.
std::string difference(const Json& ours, const Json& theirs) {
  for (const auto& [key, value] : ours.items())
    if (!theirs.contains(key) || theirs[key] != value)
      return key + " was " + (theirs.contains(key) ? theirs[key].dump() : "not set") + ", now " +
             value.dump();
  return "it was written by another version";
}

}  // namespace

Journal::Journal(std::string path, const JournalKind& kind, const Json& run, bool resume,
                 const Visit& visit)
    : path_(std::move(path)),
      kind_(kind),
      header_(Json{{"schema", kind.schema}, {"run", run}}.dump() + "\n") {
  if (path_.empty()) {
    fd_ = open_unnamed_file();
    start();
    return;
  }
  size_ = open_locked().st_size;
  try {
    if (size_ == 0) {
      start();
    } else if (resume) {
      recover(run, visit);
    } else {
      throw Error(ErrorKind::kUsage, path_,
                  std::string("holds the ") + kind_.contents + " of an interrupted run",
                  "--resume continues it; delete the file to start anew");
    }
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

Journal::~Journal() {
  if (fd_ < 0) return;
  // A run that failed before its first line leaves nothing behind.
  if (!path_.empty() && size_ == header_size_) ::unlink(path_.c_str());
  ::close(fd_);
}

void Journal::lock() const {
  while (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) {  // some network file systems have no locks
      spdlog::warn("{}: can't be locked ({}): nothing stops a second run on this output", path_,
                   std::strerror(errno));
      return;
    }
    ::close(fd_);
    throw Error(ErrorKind::kResource, path_, "another run is writing to this output",
                "give each run its own -o");
  }
}

struct stat Journal::open_locked() {
  for (;;) {
    // It holds the records: whoever may not read an output must not read them here meanwhile.
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd_ < 0 && errno == ELOOP)
      throw Error(ErrorKind::kUsage, path_, "is a link, and a link is not followed here",
                  "move it away, or give another -o");
    if (fd_ < 0) throw_disk_error(path_, "can't be written");
    lock();
    // A run that ended between the two calls took the name away: what is kept in a file without a
    // name is lost.
    struct stat opened {
    }, named{};
    if (::fstat(fd_, &opened) != 0) throw_disk_error(path_, "can't be read");
    if (!S_ISREG(opened.st_mode)) {
      ::close(fd_);
      throw_foreign();
    }
    if (::stat(path_.c_str(), &named) == 0 && named.st_ino == opened.st_ino &&
        named.st_dev == opened.st_dev)
      return opened;
    ::close(fd_);
  }
}

void Journal::start() {
  size_ = 0;
  if (::ftruncate(fd_, 0) != 0) throw_disk_error(path_, "can't be emptied");
  write_all(header_);
  header_size_ = size_;
}

void Journal::throw_foreign() const {
  throw Error(ErrorKind::kUsage, path_,
              std::string("does not hold the ") + kind_.contents + " of an interrupted run",
              "move it away to start anew");
}

void Journal::recover(const Json& run, const Visit& visit) {
  // A header that a power loss tore off is empty work; anything else is not ours to empty.
  if (!begins_like_a_journal(path_)) return is_all_zeros(path_) ? start() : throw_foreign();
  LineReader reader(path_);
  std::string_view line;
  if (!reader.next(line)) line = {};
  int64_t offset = static_cast<int64_t>(line.size()) + 1;
  if (offset > size_) {
    const std::string begin = header_.substr(0, header_.find("\"run\""));
    if (!line.starts_with(begin) && !std::string_view(begin).starts_with(line)) throw_foreign();
    return start();
  }
  const Json header = try_parse_json(line).value_or(Json());
  if (!header.is_object() || header.value("schema", Json()) != kind_.schema ||
      !header.contains("run") || !header["run"].is_object())
    throw_foreign();
  if (header["run"] != run)
    throw Error(ErrorKind::kUsage, path_,
                "belongs to another run: " +
                    (kind_.other_run != nullptr ? kind_.other_run : difference(run, header["run"])),
                "run the same command with --resume, or delete the file to start anew");
  header_size_ = offset;
  int64_t num_damaged = 0;
  while (reader.next(line)) {
    const auto length = static_cast<int64_t>(line.size());
    if (offset + length + 1 > size_) break;  // a torn last line has no '\n'
    const auto kept = checked(line);
    const int64_t begin = offset + static_cast<int64_t>(kChecksumSize);
    if (!kept || !in_context(reader.where(), [&] { return visit(*kept, begin); })) ++num_damaged;
    offset += length + 1;
  }
  if (num_damaged > 0)
    spdlog::warn("{}: {} damaged: what {} held is computed again", path_,
                 num_damaged == 1 ? "a line is" : std::to_string(num_damaged) + " lines are",
                 num_damaged == 1 ? "it" : "they");
  size_ = offset;
  if (::ftruncate(fd_, size_) != 0) throw_disk_error(path_, "can't be cut");
}

void Journal::write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd_, bytes.data(), bytes.size(), size_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_disk_error(path_, "writing failed");
    size_ += count;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

std::vector<int64_t> Journal::append(const std::vector<std::string>& lines) {
  std::vector<int64_t> begins;
  std::string bytes;
  for (const std::string& line : lines) {
    bytes += checksum(line);
    begins.push_back(size_ + static_cast<int64_t>(bytes.size()));
    bytes += line;
    bytes += '\n';
  }
  write_all(bytes);
  // A kill loses nothing that was written; a power loss, what did not reach the disk. A second's
  // work may.
  const auto now = std::chrono::steady_clock::now();
  if (path_.empty() || now - last_sync_ < std::chrono::seconds(1)) return begins;
  last_sync_ = now;
  while (::fdatasync(fd_) != 0)
    if (errno != EINTR) throw_disk_error(path_, "writing failed");
  return begins;
}

void Journal::throw_changed(const char* how) const {
  throw Error(ErrorKind::kResource, path_, std::string(how) + " while it was used",
              "another program changed it: --resume computes what is damaged again");
}

std::string Journal::read(int64_t offset, int64_t length) const {
  const auto begin = offset - static_cast<int64_t>(kChecksumSize);
  std::string bytes(static_cast<size_t>(length) + kChecksumSize, '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count =
        ::pread(fd_, bytes.data() + done, bytes.size() - done, begin + static_cast<int64_t>(done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_disk_error(path_, "reading failed");
    if (count == 0) throw_changed("became shorter");
    done += static_cast<size_t>(count);
  }
  // Cut and written on, it has zeros where lines were.
  if (!checked(bytes)) throw_changed("was changed");
  return bytes.substr(kChecksumSize);
}

void Journal::remove() {
  if (!path_.empty() && ::unlink(path_.c_str()) != 0 && errno != ENOENT)
    spdlog::warn("{}: can't be removed ({}): delete it", path_, std::strerror(errno));
  ::close(fd_);
  fd_ = -1;
}

std::optional<Json> Journal::run_of(const std::string& path) {
  struct stat info {};
  // What is no file of ours is refused where it is opened for writing.
  if (path.empty() || ::lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode) ||
      !begins_like_a_journal(path))
    return std::nullopt;
  LineReader reader(path);
  std::string_view line;
  if (!reader.next(line)) return std::nullopt;
  const Json header = try_parse_json(line).value_or(Json());
  return header.is_object() && header.contains("run") ? std::optional(header["run"]) : std::nullopt;
}

}  // namespace air
