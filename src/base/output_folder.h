// An output folder that is never half-written: it appears whole or not at all.
#pragma once

#include <string>

namespace air {

/// Files are written into PATH.tmp.<random>, which commit() renames to PATH. Without a commit it is
/// removed again; after a kill it stays, under that name.
class OutputFolder {
 public:
  /// @param path a folder that does not exist, or is empty; a slash at its end does not matter
  /// @throws Error(kUsage) when there is something; Error(kResource) when it can't be made.
  explicit OutputFolder(const std::string& path);
  ~OutputFolder();
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;

  /// Where to write a file until the commit. @param name may lead into a folder that exists there
  std::string file(const std::string& name) const;
  /// The folder takes its name. @throws Error(kResource), also when something has it by now.
  void commit();

 private:
  std::string path_;
  std::string temporary_;  // empty after the commit
};

}  // namespace air
