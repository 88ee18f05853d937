#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The numbers that test_int16.c compares ours with: operators on activations of int16, in Python's integers, which have no width to run out of. What each
computes is written here from its definition: one rounding, ties up (single); TensorFlow Lite's MultiplyByQuantizedMultiplier of int64 with a multiplier of 15
bits, and of int32 with a rounding doubling high product and a rounding shift (gemmlowp); its interpolated table. The way from floats is numpy's.

usage: make_int16_reference.py > int16_reference.h     needs numpy
"""
import numpy as np

LO, HI = -32768, 32767


def i16(n, k):
    return [((i * 40503 + k * 977 + 1) & 0xFFFF) - 32768 for i in range(n)]


def i8(n, k):
    return [(i * 89 + k * 31) % 255 - 127 for i in range(n)]


def bias(n):
    return [i * 791903 % 2000001 - 1000000 for i in range(n)]


def clamp(v, lo=LO, hi=HI):
    return max(lo, min(hi, v))


def single(acc, m, up):
    return (acc * m + (1 << (31 - up))) >> (32 - up)


def wide(acc, m, shift):
    reduced = (m + (1 << 15)) >> 16 if m < 0x7FFF0000 else 0x7FFF
    total = 15 - shift
    return (acc * reduced + (1 << (total - 1))) >> total


def double(acc, m, shift):
    v = ((acc << max(shift, 0)) * m + (1 << 30)) >> 31
    n = max(-shift, 0)
    rest, half = v & ((1 << n) - 1), (((1 << n) - 1) >> 1) + (v < 0)
    return (v >> n) + (rest > half)


def conv(xs, ws, x, w, b, scale, stride=1, pad=0, groups=1, lo=LO):
    """xs [h,w,c], ws [o,kh,kw,c/g]; padding before alone."""
    h, wd, c = xs
    o, kh, kw, cg = ws
    out = []
    for oh in range((h + pad - kh) // stride + 1):
        for ow in range((wd + pad - kw) // stride + 1):
            for f in range(o):
                acc = b[f]
                for i in range(kh):
                    for j in range(kw):
                        r, s = oh * stride - pad + i, ow * stride - pad + j
                        if r < 0 or s < 0:
                            continue
                        for k in range(cg):
                            acc += x[(r * wd + s) * c + f // (o // groups) * cg + k] * w[((f * kh + i) * kw + j) * cg + k]
                out.append(clamp(scale(acc, f), lo))
    return out


def lut(v, table):
    at, rest = (v >> 7) + 256, v & 127
    return table[at] + (((table[at + 1] - table[at]) * rest + 64) >> 7)


def mean(xs, x, k, requant):
    h, w, c = xs
    out = []
    for oh in range(h - k + 1):
        for ow in range(w - k + 1):
            for ch in range(c):
                s = sum(x[((oh + i) * w + ow + j) * c + ch] for i in range(k) for j in range(k))
                out.append(clamp(requant(s, k * k)))
    return out


def away(s, n):
    q = (abs(s) + n // 2) // n
    return q if s > 0 else -q


def row(name, values):
    print(f"static const int32_t {name}[] = {{{', '.join(str(int(v)) for v in values)}}};")


M = [1000003, 45000001, 7000003]
T = [(1073780000, -6), (1174441985, -8), (2147480000, -10)]
same = [HI] * 1100
print("/* SPDX-License-Identifier: Apache-2.0\n *\n * Written by make_int16_reference.py. */")
b3 = bias(3)
for name, up in (("single", 0), ("single_less", -4), ("single_more", 2)):
    row(name, conv((3, 4, 2), (3, 2, 2, 2), i16(24, 0), i8(24, 1), b3, lambda a, f: single(a, M[f], up), 1, 1))
row("twice", conv((3, 4, 2), (3, 2, 2, 2), i16(24, 0), i8(24, 1), b3, lambda a, f: wide(a, *T[f]), 1, 1))
row("depthwise", conv((5, 4, 3), (3, 3, 2, 1), i16(60, 0), i8(18, 1), b3, lambda a, f: single(a, 20 * M[f], 0), 2, 1, 3, -1000))
# every product as large as it can be: the sum does not fit 32 bits
row("most", conv((1, 1, 1100), (2, 1, 1, 1100), same, [127] * 1100 + [-127] * 1100, b3[:2], lambda a, f: single(a, 30001 - f, 0)))
a, b = i16(24, 0), i16(24, 1)
row("sums", [clamp((p * 1812345 + q * -912345 + (1 << 20)) >> 21, -30000) for p, q in zip(a, b)])
row("sums_double", [clamp(double(double(p << 15, 1073741824, 0) + double(q << 15, 1573741824, -1), 1912345678, -14)) for p, q in zip(a, b)])
row("products", [clamp(double(p * q, 1812345678, -14), -20000) for p, q in zip(a, b)])
row("means", mean((4, 3, 2), a, 2, away))
row("means_scaled", mean((4, 3, 2), a, 2, lambda s, n: double(s, 1374389535, -1)))
row("table", [lut(v, i16(513, 1)) for v in i16(40, 0)])
row("rescaled", [clamp(double(v, 1174405120, 1), -30000) for v in a])
row("rescaled_bytes", [clamp(double(v, 1374389535, -7) + 5, -128, 127) for v in a])
reals = np.array([(i * 37 - 400) / 8 for i in range(20)] + [1e9, -1e9, 8191.8, -8192.2], np.float32)
steps = reals / np.float32(0.25)
row("quantized", [clamp(int(np.sign(s) * np.floor(np.abs(s) + np.float32(0.5)))) for s in steps])
row("back_in_eighths", a)
