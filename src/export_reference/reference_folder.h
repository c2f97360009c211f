// The reference model as an ordinary model folder: the files of the model, in which the numbers
// that silence the masked heads are zeros.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/output_folder.h"
#include "model/checkpoint.h"
#include "model/reference_zeros.h"

namespace air {

/// The file in such a folder that says what it is (`air.reference/1`).
inline constexpr const char* kReferenceNote = "air_reference.json";

/// Beside weights and index, the files of a model folder that a copy needs: configuration,
/// tokenizer, chat templates, code, licence. Weights in other formats, and an adapter, are left
/// out: a program might take them for the model. Names in the folder, in their order.
std::vector<std::string> companion_files(const std::filesystem::path& folder);

/// Writes it all, config.json last. Weights keep their files, dtype and every byte outside of
/// `parts`; memory holds a few MiB of them at a time.
/// @throws Error(kResource) when the disk is full; Error(kModel) for a file that changed meanwhile;
///   Interrupted.
void write_reference(const Checkpoint& checkpoint, const std::vector<ZeroedPart>& parts,
                     const Json& note, OutputFolder& output);

}  // namespace air
