#include "cli/head_flags.h"

#include "cli/shared_flags.h"

namespace air {

CLI::Option* add_heads_flag(CLI::App& verb, std::string& heads) {
  return verb
      .add_option("--heads", heads, "Heads file of air find-heads, a list 12-7,18-0, or none")
      ->type_name("FILE|LIST");
}

void require_heads(const std::string& heads) {
  require_flag(heads, "--heads", "a file that air find-heads wrote, a list 12-7,18-0, or none");
}

CLI::Option* add_mask_flag(CLI::App& verb, std::string& mask) {
  return verb.add_option("--mask", mask, "What masked heads do: attend uniformly, or output zero")
      ->check(CLI::IsMember({"uniform", "zero"}));
}

CLI::Option* add_force_flag(CLI::App& verb, bool& force) {
  return verb.add_flag("--force", force)
      ->description("Accept heads that were found for another model");
}

}  // namespace air
