"""Rates and errors of the operations that air is made of, by Python's torch on the same device. Each one fails alone."""
import time

import torch
import torch.nn.functional as F

from gpu_checks.timing import milliseconds


class Parts:
    """Sizes of the 7B shape, or small ones on the CPU."""

    def __init__(self, context):
        self.context = context
        self.gpu = context.on_gpu
        big = self.gpu
        self.hidden, self.inner, self.vocabulary, self.rows = (3584, 18944, 152064, 16384) if big else (64, 96, 512, 128)
        self.heads, self.kv_heads, self.head, self.texts = (28, 4, 128, 16) if big else (4, 2, 16, 2)
        self.tokens = context.tokens
        self.half = {"dtype": torch.bfloat16, "device": context.device}

    def time(self, function, repeats=10):
        return milliseconds(self.context, function, repeats)

    def random(self, *size):
        return torch.randn(*size, **self.half)


# The operations that only a GPU has, called as air calls them. On the CPU others stand in, so that what is around them runs.

def flash(s, q, k, v, cu_q, cu_k, max_q, max_k, scale=None, window=None):
    """Output [rows, heads, size] and lse [heads, rows] of all sequences; a window of so many keys."""
    if not s.gpu:
        return stand_in(q, k, v, cu_q, cu_k, window)
    more = {"window_size_left": window - 1, "window_size_right": 0} if window else {}
    return torch.ops.aten._flash_attention_forward(q, k, v, cu_q, cu_k, max_q, max_k, 0.0, not window, False, scale=scale, **more)[:2]


def efficient(s, q, k, v, cu_q, cu_k, max_q, max_k, scale=None, window=None):
    """Output [rows, heads, size]; as many heads of keys as of queries. Causal from the bottom right."""
    if not s.gpu:
        return stand_in(q, k, v, cu_q, cu_k, window)[0]
    return torch.ops.aten._efficient_attention_forward(q[None], k[None], v[None], None, cu_q, cu_k, max_q, max_k, 0.0, 2, False, scale=scale,
                                                       window_size=window)[0][0]


def stand_in(q, k, v, cu_q, cu_k, window):
    done = [exact_attention(q[a:b].double(), k[c:d].double(), v[c:d].double(), window or 10**6)
            for a, b, c, d in zip(cu_q[:-1], cu_q[1:], cu_k[:-1], cu_k[1:])]
    return torch.cat([o for o, _ in done]).to(q.dtype), torch.cat([lse for _, lse in done], -1).float()


def parts(context):
    sizes = Parts(context)
    for function in (products, float32_logits, passes, attention, plans, prefixes, float32_attention, wide_heads, grouped):
        context.attempt(measure, function, sizes)


def measure(context, function, sizes):
    with torch.inference_mode():
        for name, value in function(sizes):
            context.record(name, value)


def products(s):
    sizes = {"[q; k; v]": (s.rows, (s.heads + 2 * s.kv_heads) * s.head, s.hidden), "k": (s.rows, s.kv_heads * s.head, s.hidden),
             "o": (s.rows, s.hidden, s.heads * s.head), "gate": (s.rows, s.inner, s.hidden), "[gate; up]": (s.rows, 2 * s.inner, s.hidden),
             "down": (s.rows, s.hidden, s.inner), "lm_head of 441 rows": (441, s.vocabulary, s.hidden),
             "lm_head of 4096 rows": (4096 if s.gpu else 64, s.vocabulary, s.hidden)}
    for name, (rows, n, k) in sizes.items():
        a, w = s.random(rows, k), s.random(n, k)
        yield f"TFLOP/s {name}", 2e-9 * rows * n * k / s.time(lambda: F.linear(a, w))


def float32_logits(s):
    rows = 4096 if s.gpu else 64
    a, w = s.random(rows, s.hidden), s.random(s.vocabulary, s.hidden)
    product = (lambda: torch.mm(a, w.t(), out_dtype=torch.float32)) if s.gpu else (lambda: torch.mm(a.float(), w.t().float()))
    logits = product()
    exact = a[:8].double() @ w.double().t()
    yield "error of float32 logits out of bfloat16", ((logits[:8].double() - exact).abs().max() / exact.abs().max()).item()
    yield "TFLOP/s lm_head to float32", 2e-9 * rows * s.hidden * s.vocabulary / s.time(product, 5)
    yield "ms log_softmax of the logits", s.time(lambda: logits.log_softmax(-1), 3)
    yield "ms argmax of the logits", s.time(lambda: logits.argmax(-1), 3)
    ties = torch.zeros(64, s.vocabulary, device=s.context.device)
    ties[:, [7, s.vocabulary // 2, s.vocabulary - 1]] = 1.0
    found = ties.argmax(-1).unique().tolist()
    s.context.expect(found == [7], f"argmax of equal maxima is the lowest: {found}")


def passes(s):
    x, weight = s.random(s.rows, s.hidden), torch.ones(s.hidden, **s.half)
    yield "ms rms_norm in steps", s.time(lambda: norm_in_steps(x, weight))
    yield "ms rms_norm fused", s.time(lambda: F.rms_norm(x, (s.hidden,), weight, 1e-6))
    yield "fused norm from float64", (F.rms_norm(x, (s.hidden,), weight, 1e-6).double()
                                      - F.rms_norm(x.double(), (s.hidden,), weight.double(), 1e-6)).abs().max().item()
    gate, up = s.random(s.rows, s.inner), s.random(s.rows, s.inner)
    yield "ms silu_ and mul_", s.time(lambda: F.silu(gate, inplace=True).mul_(up))


def norm_in_steps(x, weight):
    f = x.float()
    return (f * (f.square().mean(-1, keepdim=True) + 1e-6).rsqrt()).to(torch.bfloat16) * weight


def attention(s):
    from torch.nn.attention import SDPBackend, sdpa_kernel
    t, rows = s.tokens, s.texts * s.tokens
    q, k, v = s.random(rows, s.heads, s.head), s.random(rows, s.kv_heads, s.head), s.random(rows, s.kv_heads, s.head)
    flops = 2e-9 * s.texts * s.heads * s.head * t * t     # causal; over milliseconds: TFLOP/s

    def heads(x, i):
        return x[i * t:(i + 1) * t].transpose(0, 1).unsqueeze(0)

    def each():
        return [F.scaled_dot_product_attention(heads(q, i), heads(k, i), heads(v, i), is_causal=True, enable_gqa=True) for i in range(s.texts)]

    choice = torch._fused_sdp_choice(heads(q, 0), heads(k, 0), heads(v, 0), is_causal=True, enable_gqa=True)
    yield "attention that SDPA chooses", str(SDPBackend(choice))
    yield "TFLOP/s attention, SDPA's choice", flops / s.time(each, 3)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        yield "TFLOP/s attention, flash", flops / s.time(each, 3)
    cu = torch.arange(0, rows + 1, t, dtype=torch.int32, device=s.context.device)

    def varlen():
        return flash(s, q, k, v, cu, cu, t, t)
    yield "TFLOP/s attention, all sequences in one call", flops / s.time(varlen, 3)
    yield "one call from SDPA", (varlen()[0] - torch.cat([o[0].transpose(0, 1) for o in each()])).abs().max().item()
    yield "shape of its lse", list(varlen()[1].shape)


def plans(s):
    """What a length costs that SDPA has not seen."""
    q, k, v = (s.random(1, heads, s.tokens, s.head) for heads in (s.heads, s.kv_heads, s.kv_heads))
    costs = []
    for fraction in (0.73, 0.79, 0.67, 0.86, 0.49):
        n = int(fraction * s.tokens)

        def one():
            return F.scaled_dot_product_attention(q[:, :, :n], k[:, :, :n], v[:, :, :n], is_causal=True, enable_gqa=True)
        s.context.synchronize()
        begin = time.perf_counter()
        one()
        s.context.synchronize()
        first = time.perf_counter() - begin
        costs.append(first - 1e-3 * s.time(one, 3))
    yield "s more for SDPA's first call of a length", costs


def exact_attention(q, k, v, window):
    """In float64: rows are the last of the keys' positions; a window of so many keys. Output and lse."""
    rows, keys = q.shape[0], k.shape[0]
    scores = torch.einsum("qhd,khd->hqk", q, k.repeat_interleave(q.shape[1] // k.shape[1], 1)) / q.shape[2]**0.5
    distance = torch.arange(keys - rows, keys, device=q.device)[:, None] - torch.arange(keys, device=q.device)
    scores = scores.masked_fill((distance < 0) | (distance >= window), -torch.inf)
    return torch.einsum("hqk,khd->qhd", scores.softmax(-1), v.repeat_interleave(q.shape[1] // v.shape[1], 1)), scores.logsumexp(-1)


def prefix_inputs(s, kind, head=64):
    """300 rows after 500 keys more, 4 heads on 2; rounded to what the device computes in."""
    generator = torch.Generator(s.context.device).manual_seed(0)
    sizes = ((300, 4), (800, 2), (800, 2))
    drawn = [torch.randn(n, h, head, device=s.context.device, generator=generator).to(kind) for n, h in sizes]
    ends = [torch.tensor([0, n], dtype=torch.int32, device=s.context.device) for n in (300, 800)]
    return drawn, [x.double() for x in drawn], ends


def prefixes(s):
    (q, k, v), exact, (cu_q, cu_k) = prefix_inputs(s, torch.bfloat16)
    for window in (None, 100):
        o, lse = flash(s, q, k, v, cu_q, cu_k, 300, 800, 0.125, window)
        expected, expected_lse = exact_attention(*exact, window or 10**6)
        error, lse_error = (o - expected).abs().max().item(), (lse.reshape(expected_lse.shape) - expected_lse).abs().max().item()
        s.context.expect(error < 0.02 and lse_error < 0.01, f"flash after a prefix, window {window}: {error:.1e}, lse {lse_error:.1e}")
    zero = torch.zeros_like(q)
    o, _ = flash(s, zero, k, v, cu_q, cu_k, 300, 800, 0.125)
    error = (o - exact_attention(zero.double(), *exact[1:], 10**6)[0]).abs().max().item()
    s.context.expect(error < 0.005, f"flash with queries of zero averages evenly: {error:.1e}")
    yield "flash with queries of zero", error


def float32_attention(s):
    (q, k, v), exact, (cu_q, cu_k) = prefix_inputs(s, torch.float32)
    k, v = (x.repeat_interleave(2, 1) for x in (k, v))
    for window in (None, 100):
        o = efficient(s, q, k, v, cu_q, cu_k, 300, 800, 0.125, window)
        error = (o - exact_attention(*exact, window or 10**6)[0]).abs().max().item()
        s.context.expect(error < 1e-4, f"efficient attention in float32 after a prefix, window {window}: {error:.1e}")
    n = s.tokens
    q, k, v = (torch.randn(n, s.heads, s.head, device=s.context.device) for _ in range(3))
    cu = torch.tensor([0, n], dtype=torch.int32, device=s.context.device)
    taken = s.time(lambda: efficient(s, q, k, v, cu, cu, n, n), 3)
    yield "TFLOP/s attention in float32", 2e-9 * s.heads * s.head * n * n / taken


def wide_heads(s):
    """Heads of 512, as Gemma 4 has them where there is no window, and of 256 in float32: FlashAttention does not take them."""
    head = 512 if s.gpu else 32
    for kind, limit, numbers, window in ((torch.bfloat16, 0.02, head, None), (torch.float32, 1e-4, head, None),
                                         (torch.float32, 1e-4, head // 2, 100)):
        (q, k, v), exact, (cu_q, cu_k) = prefix_inputs(s, kind, numbers)
        o = efficient(s, q, *(x.repeat_interleave(2, 1) for x in (k, v)), cu_q, cu_k, 300, 800, numbers**-0.5, window)
        error = (o - exact_attention(*exact, window or 10**6)[0]).abs().max().item()
        s.context.expect(error < limit, f"efficient attention, heads of {numbers} in {kind} after a prefix, window {window}: {error:.1e}")
    n, heads = s.tokens, 8
    cu = torch.tensor([0, n], dtype=torch.int32, device=s.context.device)
    for kind in (torch.bfloat16, torch.float32):
        q, k, v = (torch.randn(n, heads, head, device=s.context.device).to(kind) for _ in range(3))
        before = device_peak(s)
        taken = s.time(lambda: efficient(s, q, k, v, cu, cu, n, n), 3)
        yield f"TFLOP/s attention, heads of {head} in {kind}", 2e-9 * heads * head * n * n / taken
        if s.gpu:
            # The output, and once more in float32; scores of all pairs would be [heads, n, n].
            most = 4 * n * heads * head * 4
            used = torch.cuda.max_memory_allocated() - before
            s.context.expect(used < most, f"memory of heads of {head} in {kind} is linear: {used >> 20} MiB of at most {most >> 20}")


def device_peak(s):
    """Bytes in use, from where the peak counts anew."""
    if not s.gpu:
        return 0
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


def grouped(s):
    """Experts of qwen3-moe's shape in one call."""
    experts, top, inner, hidden = (128, 8, 768, 2048) if s.gpu else (4, 2, 32, 64)
    rows = s.rows * top
    generator = torch.Generator().manual_seed(0)
    counts = torch.bincount(torch.randint(0, experts, (rows,), generator=generator), minlength=experts)
    ends = counts.cumsum(0).to(torch.int32).to(s.context.device)
    x, weights = s.random(rows, hidden), s.random(experts, 2 * inner, hidden)

    def product():
        return torch._grouped_mm(x, weights.transpose(1, 2), offs=ends)
    end = int(ends[0])
    yield "grouped product from single ones", (product()[:end].float() - (x[:end].float() @ weights[0].float().t())).abs().max().item()
    yield "TFLOP/s grouped product", 2e-9 * rows * 2 * inner * hidden / s.time(product, 5)
