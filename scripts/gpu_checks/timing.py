"""How long work on the device takes."""
import time


def milliseconds(context, function, repeats=10):
    """Of one call, after one that is not counted."""
    function()
    context.synchronize()
    begin = time.perf_counter()
    for _ in range(repeats):
        function()
    context.synchronize()
    return 1e3 * (time.perf_counter() - begin) / repeats
