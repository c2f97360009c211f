#include "find_heads/result_journal.h"

#include <spdlog/fmt/fmt.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "base/json.h"

namespace air {
namespace {

/// A probe's line. Doubles are written so that they read back to the same bits.
std::string result_line(size_t index, const ProbeResult& result) {
  const Json json = {
      {"probe", index}, {"recall", result.recall}, {"nll", result.nll}, {"scores", result.scores}};
  return json.dump() + "\n";
}

/// What the whole lines of an interrupted run say; a half-written last line is dropped. `size`
/// becomes the length of the whole lines.
std::vector<Json> whole_lines(const std::string& text, const std::string& path, size_t& size) {
  std::vector<Json> lines;
  size = 0;
  for (size_t end; (end = text.find('\n', size)) != std::string::npos; size = end + 1)
    lines.push_back(
        parse_json(std::string_view(text).substr(size, end - size), path, ErrorKind::kInput));
  return lines;
}

}  // namespace

std::string run_identity(const std::string& build, const std::string& model_fingerprint,
                         const std::string& dtype, const std::vector<Probe>& probes) {
  std::string bytes = build + "," + model_fingerprint + "," + dtype;
  for (const Probe& probe : probes) {
    for (const int64_t number :
         {probe.needle.begin, probe.needle.end, probe.answer.begin, probe.answer.end})
      bytes += "," + std::to_string(number);
    bytes.append(reinterpret_cast<const char*>(probe.ids.data()),
                 probe.ids.size() * sizeof(int32_t));
  }
  return fmt::format("{:016x}", XXH3_64bits(bytes.data(), bytes.size()));
}

ResultJournal::ResultJournal(std::string path, const std::string& identity, bool resume)
    : path_(std::move(path)) {
  if (path_.empty()) return;
  if (std::filesystem::exists(path_)) load(identity, resume);
  file_.reset(std::fopen(path_.c_str(), "ab"));
  if (!file_) throw Error(ErrorKind::kResource, path_, std::strerror(errno));
  if (std::filesystem::file_size(path_) == 0) write(Json{{"run", identity}}.dump() + "\n");
}

void ResultJournal::load(const std::string& identity, bool resume) {
  if (!resume) {
    throw Error(ErrorKind::kUsage, path_, "an interrupted run left its results here",
                "--resume goes on with them; to start anew, delete the file");
  }
  const std::string text = read_file(path_, ErrorKind::kInput);
  size_t size = 0;
  const std::vector<Json> lines = whole_lines(text, path_, size);
  std::filesystem::resize_file(path_, size);
  if (lines.empty()) return;
  if (lines.front().value("run", "") != identity) {
    throw Error(ErrorKind::kUsage, path_,
                "is of a run with another model, other probes or another build of air",
                "delete the file to start anew");
  }
  for (size_t i = 1; i < lines.size(); ++i) {
    ProbeResult result;
    result.recall = lines[i].at("recall").get<double>();
    result.nll = lines[i].at("nll").get<double>();
    result.scores = lines[i].at("scores").get<HeadScores>();
    kept_[lines[i].at("probe").get<size_t>()] = std::move(result);
  }
}

const ProbeResult* ResultJournal::find(size_t index) const {
  const auto found = kept_.find(index);
  return found == kept_.end() ? nullptr : &found->second;
}

void ResultJournal::add(size_t index, const ProbeResult& result) {
  if (file_) write(result_line(index, result));
}

void ResultJournal::write(const std::string& line) {
  const bool written = std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size();
  if (!written || std::fflush(file_.get()) != 0)
    throw Error(ErrorKind::kResource, path_, std::strerror(errno));
}

}  // namespace air
