// JSON of our own files and of model folders: parsing with errors that name file and key. Records
// are read by data/.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace air {

using Json = nlohmann::ordered_json;

/// Levels of nesting that are read. What walks a value calls itself once a level: endless nesting
/// would overflow the stack.
constexpr int kMaxJsonDepth = 1000;

/// @throws Error(kind) naming `where` when the brackets and braces of a text nest deeper than
///   kMaxJsonDepth. Whether it is JSON is not checked.
void check_json_depth(std::string_view text, const std::string& where, ErrorKind kind);

/// Parses a whole text. @throws Error(kind) naming `where` and the byte position; also when it
/// nests too deep, or when its objects have so many keys that reading them would take seconds.
Json parse_json(std::string_view text, const std::string& where, ErrorKind kind);

/// The same; none when the text is not JSON, nests too deep or has too many keys.
std::optional<Json> try_parse_json(std::string_view text);

/// Reads and parses a file, of a model (kModel) by read_model_file(). @throws Error(kind) when it
/// is missing, unreadable or not JSON.
Json read_json_file(const std::filesystem::path& path, ErrorKind kind);

/// The whole file, which a user named: a pipe will do. @throws Error(kind) when it can't be read or
/// is larger than 1 GiB; one of a model also when it is a Git LFS pointer.
std::string read_file(const std::filesystem::path& path, ErrorKind kind);

/// The whole of a file in a model folder. @throws Error(kModel) as read_file(), and when it is not
/// a regular file: a pipe in a folder that came from elsewhere would never end.
std::string read_model_file(const std::filesystem::path& path);

/// An integer that int64_t holds; none for every other value.
std::optional<int64_t> whole_number(const Json& value);

/// A float as JSON writes it: the shortest decimal that reads back to the same double. @throws bug
/// when not finite.
void append_number(std::string& out, double value);
void append_number(std::string& out, int64_t value);

/// A string as a JSON literal, quotes included; the text must be valid UTF-8.
void append_string(std::string& out, std::string_view text);

}  // namespace air
