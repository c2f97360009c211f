"""What the contenders of scripts/bench.py share: their arguments, and the JSON object that each prints."""
import argparse
import json
import resource


def peer_parser(doc):
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("traces", help="what `air inspect` writes, so that all score the very same tokens")
    parser.add_argument("heads")
    parser.add_argument("--threads", type=int, default=2)
    return parser


def print_result(traces, seconds, nll_sums, **more):
    """@param nll_sums of all response tokens: [base, reference], nats"""
    tokens = sum(len(trace["ids"]) for trace in traces)
    print(json.dumps({"num_tokens": tokens, "seconds": seconds, "tokens_per_second": tokens / seconds, "base_nll_sum": nll_sums[0],
                      "ref_nll_sum": nll_sums[1], "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024} | more))
