// The files that a verb writes, held against each other and against all that it reads.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace air {

/// A file and what names it.
struct NamedFile {
  std::string flag;            ///< "--rejects"; of inputs that have no flag: "the input"
  std::string path;            ///< "-" is standard input or output; empty: not given
  bool holds_records = false;  ///< an output that may be Parquet (data/record_output.h)
};

/// Adds files to a list, all under one name.
void add_files(std::vector<NamedFile>& files, const std::string& flag,
               const std::vector<std::string>& paths);

/// The files of a model folder that air reads; none when it is not a folder.
std::vector<std::string> model_files(const std::filesystem::path& folder);

/// Before any work: no output may be an input or another output, by whatever path or link, and each
/// needs a folder that exists. Only an output of records may be called ".parquet", and where
/// Parquet can be written.
/// @throws Error(kUsage) naming both; Error(kResource) for a folder that can't be written to, or
///   what Parquet needs.
void check_outputs(const std::vector<NamedFile>& inputs, const std::vector<NamedFile>& outputs);

}  // namespace air
