"""What this machine is, and what its device reaches at best."""
import os
import shutil
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

from gpu_checks.context import cuda_tool
from gpu_checks.timing import milliseconds


def package_version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def environment(context):
    context.note(python=sys.version.split()[0], cores=os.cpu_count(), ram_gib=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 30,
                 work=str(context.work), work_free_gib=shutil.disk_usage(context.work).free >> 30,
                 versions={name: package_version(name) for name in ("torch", "transformers", "tokenizers", "safetensors")},
                 tools={"c++": shutil.which("c++"), "compute-sanitizer": cuda_tool("compute-sanitizer")})
    if context.on_gpu:
        gpu = torch.cuda.get_device_properties(0)
        context.note(gpu=gpu.name, capability=f"{gpu.major}.{gpu.minor}", multiprocessors=gpu.multi_processor_count,
                     memory_gib=gpu.total_memory >> 30, free_gib=torch.cuda.mem_get_info()[0] >> 30, cudnn=torch.backends.cudnn.version())
    if shutil.which("nvidia-smi"):
        query = "--query-gpu=driver_version,clocks.max.sm,power.limit"
        context.note(driver=context.run(["nvidia-smi", query, "--format=csv,noheader"], check=False).stdout.strip())
    libraries = context.run(["ldd", context.kit / "bin" / "air-torch"]).stdout
    missing = [line.strip() for line in libraries.splitlines() if "not found" in line]
    context.expect(not missing, f"all libraries are there{missing or ''}")
    context.note(air=context.air("--version", "-v").stdout.split("\n"))
    rates(context)


def rates(context):
    n, copied = (8192, 1 << 30) if context.on_gpu else (256, 1 << 22)
    kind = {"dtype": torch.bfloat16, "device": context.device}
    with torch.inference_mode():
        a, b = torch.randn(n, n, **kind), torch.randn(n, n, **kind)
        context.record("TFLOP/s of a bfloat16 product", 2e-9 * n**3 / milliseconds(context, lambda: a @ b, 20))
        source = torch.empty(copied, dtype=torch.uint8, device=context.device)
        target = torch.empty_like(source)
        context.record("GB/s of a copy, read and written", 2e-6 * copied / milliseconds(context, lambda: target.copy_(source), 10))
