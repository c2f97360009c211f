#include "base/byte_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/json_array_source.h"
#include "base/packed_source.h"

namespace air {

namespace {

/// A descriptor that becomes readable when a stop is requested.
class StopEvent {
 public:
  explicit StopEvent(const std::stop_token& stop)
      : event_(::eventfd(0, EFD_CLOEXEC)), callback_(stop, Raise{event_.fd}) {}

  /// Waits until `fd` can be read. @throws Interrupted when the stop comes first.
  void wait_for(int fd) const {
    pollfd watched[] = {{fd, POLLIN, 0}, {event_.fd, POLLIN, 0}};
    while (::poll(watched, 2, -1) < 0 && errno == EINTR) {
    }
    if (watched[1].revents != 0) throw Interrupted{};
  }

 private:
  struct Event {
    explicit Event(int opened) : fd(opened) {}
    ~Event() {
      if (fd >= 0) ::close(fd);
    }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    int fd;
  };
  struct Raise {
    int fd;
    void operator()() const { ::eventfd_write(fd, 1); }
  };
  Event event_;
  std::stop_callback<Raise> callback_;  // last: it is gone before the event is closed
};

class FileSource : public ByteSource {
 public:
  FileSource(const std::string& path, std::string name, const std::stop_token& stop)
      : name_(std::move(name)) {
    if (stop.stop_possible()) stop_ = std::make_unique<StopEvent>(stop);
    if (const auto descriptor = named_descriptor(path)) {
      fd_ = *descriptor;
      return;
    }
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) throw Error(ErrorKind::kInput, path, std::strerror(errno));
    owns_fd_ = true;
    struct stat info {};
    if (::fstat(fd_, &info) == 0 && S_ISDIR(info.st_mode)) {
      ::close(fd_);
      throw Error(ErrorKind::kInput, path, "is a folder, not a file of JSON lines",
                  "name its files: " + path + "/*.jsonl");
    }
  }
  ~FileSource() override {
    if (owns_fd_) ::close(fd_);
  }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  size_t read(char* out, size_t size) override {
    if (stop_) stop_->wait_for(fd_);
    ssize_t count;
    do {
      count = ::read(fd_, out, size);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
      throw Error(ErrorKind::kInput, name_, std::string("reading failed: ") + std::strerror(errno));
    return static_cast<size_t>(count);
  }

 private:
  std::string name_;
  int fd_ = -1;
  bool owns_fd_ = false;
  std::unique_ptr<StopEvent> stop_;
};

// What the first bytes say of files that are not JSON Lines.
constexpr std::string_view kLfsBegin = "version https://git-lfs";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

void refuse_other_formats(std::string_view head, const std::string& name) {
  struct Format {
    std::string_view magic;
    const char* what;
    const char* hint;
  };
  constexpr const char* kPandas =
      "python3 -c 'import pandas, sys; pandas.read_parquet(sys.argv[1]).to_json(sys.stdout, "
      "orient=\"records\", lines=True, force_ascii=False)' FILE | air …";
  constexpr const char* kDatasets =
      "python3 -c 'import datasets, sys; "
      "datasets.Dataset.from_file(sys.argv[1]).to_json(\"/dev/stdout\", force_ascii=False)' FILE | "
      "air …";
  constexpr const char* kUtf16 = "iconv -f UTF-16 -t UTF-8 FILE | air … -";
  const Format formats[] = {
      {"PAR1", "is a Parquet file, not JSON lines", kPandas},
      {"ARROW1", "is an Arrow file, not JSON lines", kDatasets},
      {{"\xff\xff\xff\xff", 4}, "is an Arrow stream, not JSON lines", kDatasets},
      {"PK\x03\x04", "is a zip archive, not JSON lines", "unzip -p FILE | air … -"},
      {"SQLite", "is an SQLite database, not JSON lines", "sqlite3 FILE -json 'SELECT …'"},
      {"\x80\x02", "is a Python pickle, not JSON lines", ""},
      {"\x80\x04", "is a Python pickle, not JSON lines", ""},
      {"\x80\x05", "is a Python pickle, not JSON lines", ""},
      {{"\xff\xfe", 2}, "is UTF-16, not UTF-8", kUtf16},
      {{"\xfe\xff", 2}, "is UTF-16, not UTF-8", kUtf16},
      {{"{\0", 2}, "is UTF-16, not UTF-8", "iconv -f UTF-16LE -t UTF-8 FILE | air … -"},
  };
  for (const Format& format : formats)
    if (head.starts_with(format.magic))
      throw Error(ErrorKind::kInput, name, format.what, format.hint);
  if (head.starts_with(kLfsBegin))
    throw Error(ErrorKind::kInput, name,
                "is not JSON lines; it looks like a Git LFS pointer, in place of the file",
                "git lfs pull fetches it");
}

/// Gives back bytes that were read to look at them.
class PeekedSource : public ByteSource {
 public:
  explicit PeekedSource(std::unique_ptr<ByteSource> inner) : inner_(std::move(inner)) {}
  /// The first bytes, fewer than `size` only when the input is shorter.
  std::string_view peek(size_t size) {
    while (head_.size() < size) {
      char bytes[16];
      const size_t count = inner_->read(bytes, std::min(sizeof bytes, size - head_.size()));
      if (count == 0) break;
      head_.append(bytes, count);
    }
    return head_;
  }
  size_t read(char* out, size_t size) override {
    if (given_ == head_.size()) return inner_->read(out, size);
    const size_t count = std::min(size, head_.size() - given_);
    std::memcpy(out, head_.data() + given_, count);
    given_ += count;
    return count;
  }
  void skip(size_t size) { given_ += size; }
  /// The first byte from `begin` on that is not white space; 0: there is none. No more is read than
  /// it takes.
  char first_visible(size_t begin) {
    for (size_t i = begin;; ++i) {
      if (peek(i + 1).size() <= i) return 0;
      if (std::string_view(" \t\r\n").find(head_[i]) == std::string_view::npos) return head_[i];
    }
  }

 private:
  std::unique_ptr<ByteSource> inner_;
  std::string head_;
  size_t given_ = 0;
};

}  // namespace

std::optional<int> named_descriptor(const std::string& path) {
  if (path == "-" || path == "/dev/stdin") return STDIN_FILENO;
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!path.starts_with(folder)) continue;
    const char* end = path.data() + path.size();
    int descriptor = 0;
    const auto result = std::from_chars(path.data() + folder.size(), end, descriptor);
    if (result.ec == std::errc() && result.ptr == end && descriptor >= 0) return descriptor;
  }
  return std::nullopt;
}

bool is_read_once(const std::string& path) {
  if (named_descriptor(path)) return true;
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

OpenedBytes open_bytes(const std::string& path, const std::string& name,
                       const std::stop_token& stop) {
  constexpr size_t kHead = 6;
  OpenedBytes out;
  auto stored = std::make_unique<PeekedSource>(std::make_unique<FileSource>(path, name, stop));
  const std::string head(stored->peek(kHead));
  const ByteSource* as_stored = stored.get();
  std::unique_ptr<ByteSource> unpacked = unpack(std::move(stored), head, name);
  out.is_as_stored = unpacked.get() == as_stored;
  auto text = std::make_unique<PeekedSource>(std::move(unpacked));
  std::string begin(text->peek(kHead));
  if (kLfsBegin.starts_with(begin)) begin = text->peek(kLfsBegin.size());
  refuse_other_formats(begin, name);
  if (begin.starts_with(kByteOrderMark)) {
    out.skipped = kByteOrderMark.size();
    text->skip(kByteOrderMark.size());
  }
  const char first = text->first_visible(out.skipped);
  out.source = std::move(text);
  if (first == '[') {
    out.source = std::make_unique<JsonArraySource>(std::move(out.source), name);
    out.is_as_stored = false;
  }
  return out;
}

}  // namespace air
