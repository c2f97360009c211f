#include "scored/row_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/byte_source.h"
#include "base/error.h"
#include "base/line_reader.h"
#include "base/strings.h"
#include "base/unnamed_file.h"

namespace air {

struct RowStore::File {
  int fd = -1;
  std::string name;
  size_t first_row = 0;
  /// Rows, rising, each with its line: the first, and those after blank lines.
  std::vector<std::pair<int64_t, int64_t>> first_lines;
  ~File() {
    if (fd >= 0) ::close(fd);
  }
};

RowStore::RowStore() = default;
RowStore::~RowStore() = default;

void RowStore::add(
    const std::string& path,
    const std::function<void(std::string_view line, const std::string& where)>& visit) {
  LineReader reader(path);
  const bool in_place = !is_read_once(path) && reader.offset().has_value();
  auto file = std::make_unique<File>();
  file->name = reader.name();
  file->first_row = rows_.size();
  file->fd = in_place ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC) : open_unnamed_file();
  if (file->fd < 0) throw Error(ErrorKind::kInput, path, std::strerror(errno));
  Spool spool(file->fd);
  uint64_t begin = 0;
  std::string_view line;
  while (reader.next(line)) {
    const uint64_t size = line.size();
    if (!is_blank(line)) {
      in_context(reader.where(), [&] { visit(line, reader.where()); });
      const int64_t index = num_rows(), number = reader.line_number();
      if (auto& known = file->first_lines;
          known.empty() || number - index != known.back().second - known.back().first)
        known.emplace_back(index, number);
      rows_.push_back({in_place ? static_cast<uint64_t>(*reader.offset()) : begin, size});
      if (!in_place) {
        spool.write(line);
        begin += size;
      }
    }
  }
  if (!in_place) spool.flush();
  files_.push_back(std::move(file));
}

const RowStore::File& RowStore::file_of(int64_t row) const {
  const auto after =
      std::upper_bound(files_.begin(), files_.end(), static_cast<size_t>(row),
                       [](size_t number, const auto& file) { return number < file->first_row; });
  return **std::prev(after);
}

std::string RowStore::where(int64_t row) const {
  const File& file = file_of(row);
  const auto after =
      std::ranges::upper_bound(file.first_lines, row, {}, &std::pair<int64_t, int64_t>::first);
  const auto& [first_row, first_line] = *std::prev(after);
  return file.name + ":" + std::to_string(first_line + row - first_row);
}

std::string RowStore::line(int64_t row) const {
  const Row& place = rows_.at(static_cast<size_t>(row));
  const File& file = file_of(row);
  std::string line(place.size, '\0');
  for (size_t done = 0; done < line.size();) {
    const ssize_t count = ::pread(file.fd, line.data() + done, line.size() - done,
                                  static_cast<off_t>(place.begin + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0)
      throw Error(ErrorKind::kInput, file.name,
                  std::string("reading failed: ") + std::strerror(errno));
    if (count == 0) throw Error(ErrorKind::kInput, file.name, "became shorter while it was read");
    done += static_cast<size_t>(count);
  }
  return line;
}

}  // namespace air
