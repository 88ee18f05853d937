# SPDX-License-Identifier: Apache-2.0
"""Thresholds that test_quantize.c compares with: the calibration by divergence of Migacz 2017 ("8-bit inference with TensorRT"), written
from its pseudocode: P takes what lies beyond into its last bin, Q does not; Q's levels spread over its bins that are not empty."""
import math


def kl(bins, levels):
    best, least = len(bins), math.inf
    for n in range(levels, len(bins) + 1):
        p = [float(b) for b in bins[:n]]
        p[-1] += float(sum(bins[n:]))
        q = [0.0] * n
        for l in range(levels):
            a, b = n * l // levels, n * (l + 1) // levels
            filled = [i for i in range(a, b) if bins[i] > 0]
            for i in filled:
                q[i] = sum(bins[a:b]) / len(filled)
        sp, sq = sum(p), sum(q)
        if sq <= 0:
            continue
        d = sum(x / sp * math.log((x / sp) / max(y / sq, 1e-6 / sq)) for x, y in zip(p, q) if x > 0)
        if d < least:
            least, best = d, n
    return best


def half_bell(n, width):
    return [int(1e6 * math.exp(-((i / width) ** 2))) for i in range(n)]


def tail(n, width):
    return [int(1e5 * math.exp(-i / width)) for i in range(n)]


if __name__ == "__main__":
    flat = [100] * 512
    outlier = half_bell(256, 60.0)
    outlier += [0] * 767 + [5]
    print("flat", kl(flat, 128))
    print("bell", kl(half_bell(512, 100.0), 128))
    print("outlier", kl(outlier, 128))
    print("tail", kl(tail(1024, 40.0), 128))
    print("tail, 8 levels", kl(tail(1024, 40.0), 8))
