#include "base/byte_source.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace air {

namespace {

constexpr size_t kChunk = 1 << 17;
constexpr std::string_view kGzipMagic = "\x1f\x8b";
constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";
constexpr std::string_view kZstdSkippableMagic = "\x2a\x4d\x18";  // after a byte 0x50 to 0x5f

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

 private:
  std::unique_ptr<ByteSource> inner_;
  std::string head_;
  size_t given_ = 0;
};

/// Packed bytes that wait to be unpacked.
class PackedInput {
 public:
  PackedInput(std::unique_ptr<ByteSource> inner, std::string name)
      : inner_(std::move(inner)), name_(std::move(name)) {}
  /// Makes sure that there are some; false at the end.
  bool fill() {
    if (begin == end) {
      begin = 0;
      end = inner_->read(buffer.data(), buffer.size());
    }
    return end > begin;
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(ErrorKind::kInput, name_, what);
  }

  std::vector<char> buffer = std::vector<char>(kChunk);
  size_t begin = 0, end = 0;

 private:
  std::unique_ptr<ByteSource> inner_;
  std::string name_;
};

class GzipSource : public ByteSource {
 public:
  explicit GzipSource(PackedInput input) : input_(std::move(input)) {
    constexpr int kGzipOnly = 15 + 16;
    if (inflateInit2(&stream_, kGzipOnly) != Z_OK)
      throw Error(ErrorKind::kResource, "", "zlib can't start: out of memory");
  }
  ~GzipSource() override { inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  size_t read(char* out, size_t size) override {
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(std::min(size, kChunk));
    const uInt wanted = stream_.avail_out;
    while (stream_.avail_out == wanted) {
      if (!input_.fill()) {
        if (in_member_) input_.fail("the gzip data ends in the middle: the file is cut off");
        return 0;
      }
      in_member_ = true;
      stream_.next_in = reinterpret_cast<Bytef*>(input_.buffer.data() + input_.begin);
      stream_.avail_in = static_cast<uInt>(input_.end - input_.begin);
      const int status = inflate(&stream_, Z_NO_FLUSH);
      input_.begin = input_.end - stream_.avail_in;
      if (status == Z_STREAM_END) {  // another member may follow
        in_member_ = false;
        inflateReset(&stream_);
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        input_.fail(std::string("broken gzip data: ") +
                    (stream_.msg ? stream_.msg : "unknown format"));
      }
    }
    return wanted - stream_.avail_out;
  }

 private:
  PackedInput input_;
  z_stream stream_{};
  bool in_member_ = false;
};

class ZstdSource : public ByteSource {
 public:
  explicit ZstdSource(PackedInput input) : input_(std::move(input)), stream_(ZSTD_createDStream()) {
    if (!stream_) throw Error(ErrorKind::kResource, "", "zstd can't start: out of memory");
  }
  ~ZstdSource() override { ZSTD_freeDStream(stream_); }
  ZstdSource(const ZstdSource&) = delete;
  ZstdSource& operator=(const ZstdSource&) = delete;

  size_t read(char* out, size_t size) override {
    ZSTD_outBuffer unpacked{out, size, 0};
    while (unpacked.pos == 0) {
      const bool more = input_.fill();
      if (!more && !in_frame_) return 0;
      ZSTD_inBuffer packed{input_.buffer.data(), input_.end, input_.begin};
      const size_t status = ZSTD_decompressStream(stream_, &unpacked, &packed);
      if (ZSTD_isError(status))
        input_.fail(std::string("broken zstd data: ") + ZSTD_getErrorName(status));
      input_.begin = packed.pos;
      in_frame_ = status != 0;
      if (!more && in_frame_ && unpacked.pos == 0)
        input_.fail("the zstd data ends in the middle: the file is cut off");
    }
    return unpacked.pos;
  }

 private:
  PackedInput input_;
  ZSTD_DStream* stream_;
  bool in_frame_ = false;
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

std::unique_ptr<ByteSource> open_bytes(const std::string& path, const std::string& name,
                                       const std::stop_token& stop) {
  auto source = std::make_unique<PeekedSource>(std::make_unique<FileSource>(path, name, stop));
  const std::string_view head = source->peek(kZstdMagic.size());
  const bool is_skippable_frame =
      head.size() == 4 && (head[0] & 0xF0) == 0x50 && head.substr(1) == kZstdSkippableMagic;
  if (head.starts_with(kGzipMagic))
    return std::make_unique<GzipSource>(PackedInput(std::move(source), name));
  if (head == kZstdMagic || is_skippable_frame)
    return std::make_unique<ZstdSource>(PackedInput(std::move(source), name));
  return source;
}

}  // namespace air
