#include "base/packed_source.h"

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"

namespace air {

namespace {

constexpr size_t kChunk = 1 << 17;
constexpr std::string_view kGzipMagic = "\x1f\x8b";
constexpr std::string_view kZstdMagic = "\x28\xb5\x2f\xfd";
constexpr std::string_view kZstdSkippableMagic = "\x2a\x4d\x18";  // after a byte 0x50 to 0x5f
constexpr std::string_view kBzip2Magic = "BZh";                   // and a digit
constexpr std::string_view kXzMagic{
    "\xfd"
    "7zXZ\0",
    6};

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
      if (!in_member_ && is_after_member_ && input_.buffer[input_.begin] == 0) {
        ++input_.begin;  // zeros that fill the blocks of a tape or disk
        continue;
      }
      in_member_ = true;
      stream_.next_in = reinterpret_cast<Bytef*>(input_.buffer.data() + input_.begin);
      stream_.avail_in = static_cast<uInt>(input_.end - input_.begin);
      const int status = inflate(&stream_, Z_NO_FLUSH);
      input_.begin = input_.end - stream_.avail_in;
      if (status == Z_STREAM_END) {  // another member may follow
        in_member_ = false;
        is_after_member_ = true;
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
  bool in_member_ = false, is_after_member_ = false;
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

class Bzip2Source : public ByteSource {
 public:
  explicit Bzip2Source(PackedInput input) : input_(std::move(input)) { start(); }
  ~Bzip2Source() override { BZ2_bzDecompressEnd(&stream_); }
  Bzip2Source(const Bzip2Source&) = delete;
  Bzip2Source& operator=(const Bzip2Source&) = delete;

  size_t read(char* out, size_t size) override {
    stream_.next_out = out;
    stream_.avail_out = static_cast<unsigned>(std::min(size, kChunk));
    const unsigned wanted = stream_.avail_out;
    while (stream_.avail_out == wanted) {
      if (!input_.fill()) {
        if (in_stream_) input_.fail("the bzip2 data ends in the middle: the file is cut off");
        return 0;
      }
      in_stream_ = true;
      stream_.next_in = input_.buffer.data() + input_.begin;
      stream_.avail_in = static_cast<unsigned>(input_.end - input_.begin);
      const int status = BZ2_bzDecompress(&stream_);
      input_.begin = input_.end - stream_.avail_in;
      if (status == BZ_STREAM_END) {  // another stream may follow
        in_stream_ = false;
        const bz_stream rest = stream_;
        BZ2_bzDecompressEnd(&stream_);
        start();
        stream_.next_out = rest.next_out;
        stream_.avail_out = rest.avail_out;
      } else if (status != BZ_OK) {
        input_.fail("broken bzip2 data");
      }
    }
    return wanted - stream_.avail_out;
  }

 private:
  void start() {
    stream_ = {};
    if (BZ2_bzDecompressInit(&stream_, /*verbosity=*/0, /*small=*/0) != BZ_OK)
      throw Error(ErrorKind::kResource, "", "bzip2 can't start: out of memory");
  }
  PackedInput input_;
  bz_stream stream_{};
  bool in_stream_ = false;
};

class XzSource : public ByteSource {
 public:
  explicit XzSource(PackedInput input) : input_(std::move(input)) {
    if (lzma_stream_decoder(&stream_, UINT64_MAX, LZMA_CONCATENATED) != LZMA_OK)
      throw Error(ErrorKind::kResource, "", "xz can't start: out of memory");
  }
  ~XzSource() override { lzma_end(&stream_); }
  XzSource(const XzSource&) = delete;
  XzSource& operator=(const XzSource&) = delete;

  size_t read(char* out, size_t size) override {
    stream_.next_out = reinterpret_cast<uint8_t*>(out);
    stream_.avail_out = size;
    while (stream_.avail_out == size && !is_done_) {
      const bool more = input_.fill();
      stream_.next_in = reinterpret_cast<const uint8_t*>(input_.buffer.data() + input_.begin);
      stream_.avail_in = input_.end - input_.begin;
      const lzma_ret status = lzma_code(&stream_, more ? LZMA_RUN : LZMA_FINISH);
      input_.begin = input_.end - stream_.avail_in;
      is_done_ = status == LZMA_STREAM_END;
      if (status == LZMA_BUF_ERROR && !more)
        input_.fail("the xz data ends in the middle: the file is cut off");
      if (status == LZMA_MEM_ERROR) throw Error(ErrorKind::kResource, "", "xz ran out of memory");
      if (status != LZMA_OK && !is_done_) input_.fail("broken xz data");
    }
    return size - stream_.avail_out;
  }

 private:
  PackedInput input_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool is_done_ = false;
};

}  // namespace

std::unique_ptr<ByteSource> unpack(std::unique_ptr<ByteSource> source, std::string_view head,
                                   const std::string& name) {
  const bool is_skippable_frame =
      head.size() >= 4 && (head[0] & 0xF0) == 0x50 && head.substr(1, 3) == kZstdSkippableMagic;
  if (head.starts_with(kGzipMagic))
    return std::make_unique<GzipSource>(PackedInput(std::move(source), name));
  if (head.starts_with(kZstdMagic) || is_skippable_frame)
    return std::make_unique<ZstdSource>(PackedInput(std::move(source), name));
  if (head.starts_with(kBzip2Magic) && head.size() > 3 && head[3] >= '1' && head[3] <= '9')
    return std::make_unique<Bzip2Source>(PackedInput(std::move(source), name));
  if (head.starts_with(kXzMagic))
    return std::make_unique<XzSource>(PackedInput(std::move(source), name));
  return source;
}

}  // namespace air
