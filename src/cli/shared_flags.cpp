#include "cli/shared_flags.h"

#include "base/error.h"
#include "cli/flag_list.h"
#include "cli/validators.h"

namespace air {

void add_shared_flags(CLI::App& verb, SharedFlags& flags, SharedFlagsUsed used) {
  verb.option_defaults()->always_capture_default();
  if (used.model) {
    verb.add_option("--model", flags.model,
                    "Folder of the model, as Hugging Face lays it out, or its name on the Hub "
                    "(OWNER/NAME) when hf download has fetched it")
        ->type_name("DIR");
    verb.add_option("--adapter", flags.adapter,
                    "Folder of a LoRA adapter (PEFT) to put on the model; none: not even the one "
                    "beside its weights")
        ->type_name("DIR");
    verb.add_option("--ignore-config-keys", flags.ignore_config_keys,
                    "Unknown keys of config.json that you know to change nothing")
        ->group(kDeviceGroup)
        ->delimiter(',')
        ->allow_extra_args(false)  // the inputs follow
        ->default_str("")
        ->type_name("KEY,…");
  }
  if (used.compute) {
    verb.add_option("--device", flags.device, "auto, cpu, cuda or cuda:N")
        ->group(kDeviceGroup)
        ->type_name("DEVICE");
    verb.add_option("--dtype", flags.dtype,
                    "auto, float32, bfloat16 or float16 (fp32, bf16, fp16); auto: float32 on the "
                    "CPU, bfloat16 on a GPU (float16 before compute capability 8.0); on a CPU with "
                    "AVX512-BF16 or AMX, bfloat16 is faster")
        ->group(kDeviceGroup)
        ->type_name("DTYPE");
    verb.add_option("--threads", flags.threads,
                    "Compute threads; 0 = the cores this process may use")
        ->group(kDeviceGroup)
        ->check(from_to(0, 4096))
        ->type_name("N");
  }
  if (used.seed)
    verb.add_option("--seed", flags.seed, "Seed of everything random")
        ->group(kDeviceGroup)
        ->type_name("N");
  verb.add_option("--config", flags.config,
                  "File of flags: name = value (TOML); flag > AIR_NAME variable > file")
      ->group(kGeneralGroup)
      ->type_name("FILE");
  verb.add_flag("--print-config")
      ->description("Print the effective flags as a config file, and stop")
      ->group(kGeneralGroup);
  verb.add_flag("-q,--quiet")->description("Only warnings and errors")->group(kGeneralGroup);
  verb.add_flag("-v,--verbose")
      ->description("Shapes, times and other details")
      ->group(kGeneralGroup);
  const auto when = CLI::IsMember({"auto", "always", "never"});
  verb.add_option("--color", "Colour in messages: auto, always, never")
      ->default_str("auto")
      ->check(when)
      ->group(kGeneralGroup)
      ->type_name("WHEN");
  verb.add_option("--progress", "Progress on stderr: auto, always, never")
      ->default_str("auto")
      ->check(when)
      ->group(kGeneralGroup)
      ->type_name("WHEN");
}

void require_flag(const std::string& value, const std::string& flag, const std::string& hint) {
  if (value.empty()) throw Error(ErrorKind::kUsage, "", flag + " is required", hint);
}

}  // namespace air
