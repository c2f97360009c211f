// The verb `air report`.
#pragma once

#include "cli/verb.h"

namespace air {

Verb add_report(CLI::App& root);

}  // namespace air
