// JSON of our own files and of model folders: parsing with errors that name file and key. Records
// are read by data/.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"

namespace air {

using Json = nlohmann::ordered_json;

/// Parses a whole text. @throws Error(kind) naming `where` and the byte position.
Json parse_json(std::string_view text, const std::string& where, ErrorKind kind);

/// Reads and parses a file. @throws Error(kind) when it is missing, unreadable or not JSON.
Json read_json_file(const std::filesystem::path& path, ErrorKind kind);

/// The whole file. @throws Error(kind) when it can't be read; one of a model also when it is a Git
/// LFS pointer.
std::string read_file(const std::filesystem::path& path, ErrorKind kind);

/// A float as JSON writes it: the shortest decimal that reads back to the same double. @throws bug
/// when not finite.
void append_number(std::string& out, double value);
void append_number(std::string& out, int64_t value);

/// A string as a JSON literal, quotes included; the text must be valid UTF-8.
void append_string(std::string& out, std::string_view text);

}  // namespace air
