#include "score/partial_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "base/line_reader.h"
#include "scored/scored_line.h"

namespace air {

namespace {

constexpr const char* kSchema = "air.partial/1";
constexpr const char* kSkippedSchema = "air.skipped/1";

[[noreturn]] void throw_disk_error(const std::string& path, const std::string& what) {
  throw Error(ErrorKind::kResource, path.empty() ? "temporary file" : path,
              what + ": " + std::strerror(errno));
}

int open_nameless() {
  const char* folder = std::getenv("TMPDIR");
  std::string name =
      std::string(folder != nullptr && *folder != '\0' ? folder : "/tmp") + "/air-XXXXXX";
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) throw_disk_error("", "can't be made");
  ::unlink(name.c_str());
  return fd;
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

std::string line_of_skipped(const ScoredEntry& entry) {
  return Json{{"schema", kSkippedSchema}, {"line", entry.line}, {"trace", entry.trace}}.dump();
}

std::optional<ScoredEntry> entry_of_line(std::string_view scored_line) {
  const std::string_view object = find_air_object(scored_line);
  const Json json =
      Json::parse(object.empty() ? scored_line : object, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  ScoredEntry entry;
  try {
    entry.line = json.at("line").get<int64_t>();
    entry.trace = json.value("trace", int64_t{0});
    entry.skipped = object.empty() && json.at("schema") == kSkippedSchema;
    if (entry.skipped) return entry;
    entry.influence = json.at("influence").get<double>();
    entry.divergence = json.at("divergence").get<double>();
    entry.base_nll = json.at("base_nll").get<double>();
    entry.entropy = json.at("entropy").get<double>();
    entry.num_tokens = json.at("num_tokens").get<int64_t>();
  } catch (const Json::exception&) {
    return std::nullopt;
  }
  return entry;
}

std::optional<Json> unfinished_run(const std::string& path) {
  struct stat info {};
  if (path.empty() || ::stat(path.c_str(), &info) != 0) return std::nullopt;
  LineReader reader(path);
  std::string_view line;
  if (!reader.next(line)) return std::nullopt;
  const Json header = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  return header.is_object() && header.contains("run") ? std::optional(header["run"]) : std::nullopt;
}

PartialFile::PartialFile(std::string path, const Json& run, bool resume) : path_(std::move(path)) {
  if (path_.empty()) {
    fd_ = open_nameless();
    start(run);
    return;
  }
  const struct stat info = open_locked();
  size_ = info.st_size;
  if (size_ == 0) {
    start(run);
  } else if (resume) {
    recover(run);
  } else {
    throw Error(ErrorKind::kUsage, path_, "holds the scores of a run that did not end",
                "--resume goes on with it; delete the file to start anew");
  }
}

PartialFile::~PartialFile() {
  if (fd_ < 0) return;
  // A run that failed before its first score leaves nothing behind.
  if (!path_.empty() && entries_.empty()) ::unlink(path_.c_str());
  ::close(fd_);
}

struct stat PartialFile::open_locked() {
  for (;;) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) throw_disk_error(path_, "can't be written");
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd_);
      throw Error(ErrorKind::kResource, path_, "another run is writing to this output",
                  "give each run its own -o");
    }
    // A run that ended between the two calls took the name away: what is kept in a file without a
    // name is lost.
    struct stat opened {
    }, named{};
    if (::fstat(fd_, &opened) != 0) throw_disk_error(path_, "can't be read");
    if (::stat(path_.c_str(), &named) == 0 && named.st_ino == opened.st_ino &&
        named.st_dev == opened.st_dev)
      return opened;
    ::close(fd_);
  }
}

void PartialFile::start(const Json& run) {
  size_ = 0;
  if (::ftruncate(fd_, 0) != 0) throw_disk_error(path_, "can't be emptied");
  write_all(Json{{"schema", kSchema}, {"run", run}}.dump() + "\n");
}

void PartialFile::recover(const Json& run) {
  LineReader reader(path_);
  std::string_view line;
  int64_t offset = 0;
  if (!reader.next(line)) line = {};
  const Json header = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  offset += static_cast<int64_t>(line.size()) + 1;
  // A header that a power loss tore off: there are no scores either.
  if (!header.is_object() || offset > size_) return start(run);
  if (header.value("schema", "") != kSchema || !header.contains("run"))
    throw Error(ErrorKind::kUsage, path_, "is no file of unfinished scores",
                "move it away to start anew");
  if (header["run"] != run)
    throw Error(ErrorKind::kUsage, path_,
                "belongs to another run: " + difference(run, header["run"]),
                "run the same command with --resume, or delete the file to start anew");
  while (reader.next(line)) {
    const auto length = static_cast<int64_t>(line.size());
    if (offset + length + 1 > size_) break;  // a torn last line has no '\n'
    std::optional<ScoredEntry> entry = entry_of_line(line);
    if (!entry) break;
    entry->offset = offset;
    entry->length = length;
    entries_.push_back(*entry);
    offset += length + 1;
  }
  keep_first(entries_.size());
}

void PartialFile::keep_first(size_t count) {
  AIR_CHECK(count <= entries_.size());
  if (count < entries_.size()) {
    size_ = entries_[count].offset;
    entries_.resize(count);
  } else if (!entries_.empty()) {
    size_ = entries_.back().offset + entries_.back().length + 1;
  } else {
    LineReader reader(path_);  // only the header is left
    std::string_view line;
    AIR_CHECK(reader.next(line));
    size_ = static_cast<int64_t>(line.size()) + 1;
  }
  if (::ftruncate(fd_, size_) != 0) throw_disk_error(path_, "can't be cut");
}

void PartialFile::write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(fd_, bytes.data(), bytes.size(), size_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_disk_error(path_, "writing failed");
    size_ += count;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

void PartialFile::append(std::vector<ScoredEntry> entries, const std::vector<std::string>& lines) {
  AIR_CHECK(entries.size() == lines.size());
  std::string bytes;
  for (size_t i = 0; i < lines.size(); ++i) {
    entries[i].offset = size_ + static_cast<int64_t>(bytes.size());
    entries[i].length = static_cast<int64_t>(lines[i].size());
    bytes += lines[i];
    bytes += '\n';
  }
  write_all(bytes);
  entries_.insert(entries_.end(), entries.begin(), entries.end());
  // A kill loses nothing that was written; a power loss, what did not reach the disk. A second's
  // work may.
  const auto now = std::chrono::steady_clock::now();
  if (path_.empty() || now - last_sync_ < std::chrono::seconds(1)) return;
  last_sync_ = now;
  if (::fdatasync(fd_) != 0) throw_disk_error(path_, "writing failed");
}

std::string PartialFile::read_line(const ScoredEntry& entry) const {
  std::string line(static_cast<size_t>(entry.length), '\0');
  int64_t done = 0;
  while (done < entry.length) {
    const ssize_t count = ::pread(fd_, line.data() + done, static_cast<size_t>(entry.length - done),
                                  entry.offset + done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) throw_disk_error(path_, "reading failed");
    done += count;
  }
  return line;
}

void PartialFile::remove() {
  if (!path_.empty()) ::unlink(path_.c_str());
  ::close(fd_);
  fd_ = -1;
}

}  // namespace air
