#include "export_reference/reference_folder.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string_view>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/mapped_file.h"
#include "base/mapped_watch.h"
#include "base/output_file.h"
#include "base/progress.h"

namespace air {

namespace fs = std::filesystem;

namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kMoreTemplates = "additional_chat_templates";
constexpr size_t kPiece = size_t{16} << 20;  // a multiple of every page size

/// Bytes [begin, end) of a file.
struct ByteRange {
  uint64_t begin, end;
};

/// What of a weight file is written as zeros, in the order of the bytes.
std::vector<ByteRange> zeroed_bytes(const SafetensorsFile& file, uint64_t file_size,
                                    const std::vector<ZeroedPart>& parts) {
  uint64_t data_size = 0;
  for (const auto& [name, entry] : file.entries()) data_size = std::max(data_size, entry.end);
  const uint64_t data_begin = file_size - data_size;
  std::vector<ByteRange> ranges;
  for (const ZeroedPart& part : parts) {
    const auto found = file.entries().find(part.tensor);
    if (found == file.entries().end()) continue;
    const SafetensorsFile::Entry& entry = found->second;
    const auto numel = static_cast<uint64_t>(
        std::accumulate(entry.shape.begin(), entry.shape.end(), int64_t{1}, std::multiplies<>()));
    const uint64_t item = (entry.end - entry.begin) / numel;
    const uint64_t columns = entry.shape.size() == 2 ? static_cast<uint64_t>(entry.shape[1]) : 1;
    for (int64_t row = part.row; row < part.row + part.num_rows; ++row) {
      const uint64_t first =
          static_cast<uint64_t>(row) * columns + static_cast<uint64_t>(part.column);
      const uint64_t begin = data_begin + entry.begin + first * item;
      const uint64_t end = begin + static_cast<uint64_t>(part.num_columns) * item;
      if (!ranges.empty() && ranges.back().end == begin)
        ranges.back().end = end;  // whole rows follow one another
      else
        ranges.push_back({begin, end});
    }
  }
  std::ranges::sort(ranges, {}, &ByteRange::begin);
  return ranges;
}

/// Copies files, and shows how far that is.
class Copier {
 public:
  explicit Copier(uint64_t total) : total_(total), progress_("export", progress_mode()) {}

  /// @param zeros sorted, not overlapping
  void copy(const fs::path& from, const std::string& to, const std::vector<ByteRange>& zeros = {}) {
    const MappedFile file(from, ErrorKind::kModel);
    const std::string_view bytes = file.view();
    OutputFile out(to);
    auto zero = zeros.begin();
    for (size_t begin = 0; begin < bytes.size(); begin += kPiece) {
      if (interrupt_requested()) throw Interrupted{"nothing was written"};
      std::string piece(bytes.substr(begin, kPiece));
      const size_t end = begin + piece.size();
      for (; zero != zeros.end() && zero->begin < end; ++zero) {
        const size_t first = std::max<size_t>(zero->begin, begin);
        const size_t last = std::min<size_t>(zero->end, end);
        std::fill_n(piece.begin() + static_cast<int64_t>(first - begin), last - first, '\0');
        if (zero->end > end) break;  // its rest lies in the next piece
      }
      out.write(piece);
      out.flush();
      file.forget(bytes.substr(begin, piece.size()));
      done_ += piece.size();
      progress_.update(std::to_string(done_ >> 20) + " of " + std::to_string(total_ >> 20) + " MiB",
                       static_cast<double>(done_) / static_cast<double>(total_));
    }
    out.commit();
  }

 private:
  uint64_t total_, done_ = 0;
  Progress progress_;
};

/// Whether a copy of the model needs the file. @param name in the folder
bool is_companion(const std::string& name) {
  constexpr std::array<std::string_view, 6> kExtensions{".json", ".jinja",    ".model",
                                                        ".txt",  ".tiktoken", ".py"};
  // Other formats' parameters, other formats' indices, and what air itself writes.
  constexpr std::array<std::string_view, 3> kOthers{"params.json", "adapter_config.json",
                                                    kReferenceNote};
  if (name.starts_with("LICENSE") || name.starts_with("NOTICE")) return true;
  const std::string extension = fs::path(name).extension();
  return std::ranges::find(kExtensions, extension) != kExtensions.end() &&
         std::ranges::find(kOthers, name) == kOthers.end() && !name.ends_with(".index.json");
}

std::vector<std::string> regular_files(const fs::path& folder, const std::string& prefix) {
  std::vector<std::string> names;
  if (!fs::is_directory(folder)) return names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file()) names.push_back(prefix + entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

}  // namespace

std::vector<std::string> companion_files(const fs::path& folder) {
  std::vector<std::string> names = regular_files(folder, "");
  std::erase_if(names, [](const std::string& name) { return !is_companion(name); });
  const std::vector<std::string> templates =
      regular_files(folder / kMoreTemplates, std::string(kMoreTemplates) + "/");
  names.insert(names.end(), templates.begin(), templates.end());
  return names;
}

void write_reference(const Checkpoint& checkpoint, const std::vector<ZeroedPart>& parts,
                     const Json& note, OutputFolder& output) {
  const fs::path& folder = checkpoint.folder();
  std::vector<std::string> companions = companion_files(folder);
  std::erase(companions, kConfig);
  const auto files = checkpoint.files();
  uint64_t total = 0;
  for (const auto& file : files) total += fs::file_size(file->path());
  for (const std::string& name : companions) total += fs::file_size(folder / name);
  Copier copier(std::max<uint64_t>(total, 1));
  for (const auto& file : files)
    copier.copy(file->path(), output.file(file->path().filename()),
                zeroed_bytes(*file, fs::file_size(file->path()), parts));
  if (checkpoint.index())
    copier.copy(*checkpoint.index(), output.file(checkpoint.index()->filename()));
  for (const std::string& name : companions) {
    fs::create_directories(fs::path(output.file(name)).parent_path());
    copier.copy(folder / name, output.file(name));
  }
  check_mapped_files();
  write_file(output.file(kReferenceNote), note.dump(2) + "\n");
  // Without it nothing takes the folder for a model.
  copier.copy(folder / kConfig, output.file(kConfig));
}

}  // namespace air
