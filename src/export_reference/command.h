// The verb `air export-reference`.
#pragma once

#include "cli/verb.h"

namespace air {

Verb add_export_reference(CLI::App& root);

}  // namespace air
