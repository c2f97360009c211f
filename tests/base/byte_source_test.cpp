#include "base/byte_source.h"

#include <bzlib.h>
#include <gtest/gtest.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "base/error.h"
#include "base/line_reader.h"
#include "support/temporary_folder.h"

namespace air {
namespace {

using test::TemporaryFolder;

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(compressBound(text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::string bzip2(const std::string& text) {
  std::string out(text.size() + text.size() / 100 + 700, '\0');
  auto size = static_cast<unsigned>(out.size());
  EXPECT_EQ(BZ2_bzBuffToBuffCompress(out.data(), &size, const_cast<char*>(text.data()),
                                     static_cast<unsigned>(text.size()), 9, 0, 0),
            BZ_OK);
  out.resize(size);
  return out;
}

std::string xz(const std::string& text) {
  std::string out(lzma_stream_buffer_bound(text.size()), '\0');
  size_t size = 0;
  EXPECT_EQ(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, nullptr,
                                    reinterpret_cast<const uint8_t*>(text.data()), text.size(),
                                    reinterpret_cast<uint8_t*>(out.data()), &size, out.size()),
            LZMA_OK);
  out.resize(size);
  return out;
}

std::string lines_of(const std::string& bytes) {
  const TemporaryFolder folder;
  LineReader reader(folder.write("in", bytes));
  std::string out;
  for (std::string_view line; reader.next(line);) out += "[" + std::string(line) + "]";
  return out;
}

std::string error_of(const std::string& bytes) {
  try {
    lines_of(bytes);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInput);
    return e.what();
  }
  return "no error";
}

TEST(ByteSourceTest, UnpacksByTheFirstBytesNotTheName) {
  for (const auto& pack : {gzip, zstd, bzip2, xz})
    EXPECT_EQ(lines_of(pack("a\nb\n\nc")), "[a][b][][c]");
  EXPECT_EQ(lines_of("a\nb"), "[a][b]");
  EXPECT_EQ(lines_of(""), "");
  EXPECT_EQ(lines_of("\x1f"), "[\x1f]");
}

TEST(ByteSourceTest, MembersAndFramesFollowOneAnother) {
  EXPECT_EQ(lines_of(gzip("a\nb") + gzip("c\nd\n") + gzip("")), "[a][bc][d]");
  EXPECT_EQ(lines_of(zstd("a\nb") + zstd("c\nd\n") + zstd("")), "[a][bc][d]");
  const std::string skippable("\x50\x2a\x4d\x18\x02\x00\x00\x00xx", 10);
  EXPECT_EQ(lines_of(skippable + zstd("a\n")), "[a]");
}

TEST(ByteSourceTest, LongTextsComeWhole) {
  std::string text;
  for (int i = 0; i < 200000; ++i) text += std::to_string(i * 2654435761u) + "\n";
  const TemporaryFolder folder;
  for (const auto& pack : {gzip, zstd}) {
    LineReader reader(folder.write("in", pack(text)));
    std::string got;
    for (std::string_view line; reader.next(line);) got.append(line).append("\n");
    EXPECT_EQ(got, text);
  }
}

TEST(ByteSourceTest, CutOffDataIsAnErrorAfterTheLinesBeforeIt) {
  const std::string text = "line one\nline two\nline three\n";
  for (const auto& pack : {gzip, zstd}) {
    const std::string packed = pack(text);
    for (size_t size = 5; size < packed.size(); ++size)
      EXPECT_NE(error_of(packed.substr(0, size)).find("cut off"), std::string::npos) << size;
    EXPECT_EQ(error_of(packed), "no error");
  }
}

TEST(ByteSourceTest, BrokenDataIsAnError) {
  std::string packed = gzip("some text\n");
  packed[packed.size() - 6] ^= 1;  // the checksum
  EXPECT_NE(error_of(packed).find("broken gzip data"), std::string::npos);
  EXPECT_NE(error_of(gzip("a") + "trailing").find("broken gzip data"), std::string::npos);
  EXPECT_NE(error_of(zstd("a") + "trailing").find("broken zstd data"), std::string::npos);
}

TEST(ByteSourceTest, MissingFilesAndFoldersAreErrors) {
  EXPECT_THROW(LineReader("/no/such/file"), Error);
  EXPECT_THROW(LineReader("/"), Error);
}

// Issue 17.
TEST(ByteSourceTest, ZerosAfterAGzipMemberAreLeftOut) {
  const std::string zeros(100'000, '\0');
  EXPECT_EQ(lines_of(gzip("a\n") + zeros), "[a]");
  EXPECT_EQ(lines_of(gzip("a\n") + zeros + gzip("b")), "[a][b]");
}

TEST(ByteSourceTest, StreamsThatFollowOneAnotherAreOneText) {
  for (const auto& pack : {gzip, zstd, bzip2, xz}) {
    EXPECT_EQ(lines_of(pack("a\nb") + pack("c\n") + pack("") + pack("d")), "[a][bc][d]");
    const std::string packed = pack(std::string(1000, 'x'));
    EXPECT_NE(error_of(packed.substr(0, packed.size() - 3)), "no error");
  }
}

TEST(ByteSourceTest, AByteOrderMarkAtTheStartIsSkipped) {
  const std::string mark = "\xEF\xBB\xBF";
  EXPECT_EQ(lines_of(mark + "a\n" + mark + "b"), "[a][" + mark + "b]");
  EXPECT_EQ(lines_of(gzip(mark + "a")), "[a]");
  EXPECT_EQ(lines_of(mark), "");
  EXPECT_EQ(lines_of("\xEF\xBB"), "[\xEF\xBB]");
}

TEST(ByteSourceTest, OffsetsLeadBackToTheLines) {
  const TemporaryFolder folder;
  const std::string bytes = "\xEF\xBB\xBF{\"a\":1}\n\n{\"b\":2}";
  LineReader reader(folder.write("in", bytes));
  for (std::string_view line; reader.next(line);) {
    ASSERT_TRUE(reader.offset().has_value());
    EXPECT_EQ(bytes.substr(static_cast<size_t>(*reader.offset()), line.size()), line);
  }
  LineReader packed(folder.write("packed", gzip("a\n")));
  std::string_view line;
  ASSERT_TRUE(packed.next(line));
  EXPECT_FALSE(packed.offset().has_value());
}

TEST(ByteSourceTest, AnArrayGivesAnElementALine) {
  EXPECT_EQ(lines_of("[]"), "");
  EXPECT_EQ(lines_of(" \n[ {\"a\": [1, 2],\n  \"b\": \"],[\\\"\"} ,\n{}\n]\n"),
            R"([{"a": [1, 2],   "b": "],[\""}][{}])");
  EXPECT_EQ(lines_of("\xEF\xBB\xBF[1,\"x\"]"), R"([1]["x"])");
  std::string large = "[";
  for (int i = 0; i < 30'000; ++i) large += (i > 0 ? ",\n" : "") + std::to_string(i);
  EXPECT_TRUE(lines_of(large + "]").ends_with("[29998][29999]"));
  for (const char* broken : {"[", "[1", "[1,", "[1,]", "[,1]", "[1]2", "[\"a]"})
    EXPECT_NE(error_of(broken).find("array"), std::string::npos) << broken;
}

TEST(ByteSourceTest, OtherFormatsAreNamed) {
  EXPECT_NE(error_of("PAR1\x15").find("Parquet"), std::string::npos);
  EXPECT_NE(error_of("ARROW1\0").find("Arrow"), std::string::npos);
  EXPECT_NE(error_of("PK\x03\x04").find("zip"), std::string::npos);
  EXPECT_NE(error_of("\xff\xfe{").find("UTF-16"), std::string::npos);
  EXPECT_NE(error_of("version https://git-lfs.github.com/spec/v1\n").find("LFS"),
            std::string::npos);
}

}  // namespace
}  // namespace air
