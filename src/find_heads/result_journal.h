// Results of finished probes, kept beside the output (OUT.partial), so that `--resume` repeats none
// of them.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "find_heads/measure_probe.h"
#include "find_heads/probe.h"

namespace air {

/// What decides the results: the build of air (cli/version.h), the model, its precision, and the
/// probes themselves. 16 hex digits.
std::string run_identity(const std::string& build, const std::string& model_fingerprint,
                         const std::string& dtype, const std::vector<Probe>& probes);

/// A file of JSON lines: which run it is, then a line a probe, flushed as it comes. The file stays
/// until the caller, with its output written, removes it.
class ResultJournal {
 public:
  /// @param path empty: nothing is kept.   @param resume go on with what an interrupted run left.
  /// @throws Error(kUsage) when something is there and `resume` is not set, or when it is of
  /// another run;
  ///         Error(kResource) when it can't be written.
  ResultJournal(std::string path, const std::string& identity, bool resume);

  /// The kept result of probe `index`; null when there is none.
  const ProbeResult* find(size_t index) const;
  /// @throws Error(kResource).
  void add(size_t index, const ProbeResult& result);
  int64_t num_kept() const { return static_cast<int64_t>(kept_.size()); }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void load(const std::string& identity, bool resume);
  void write(const std::string& line);

  std::string path_;
  std::map<size_t, ProbeResult> kept_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace air
