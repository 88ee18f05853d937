#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Algorithm 1 of Nagel et al. 2022 (arXiv 2203.11086) on one weight, written from the paper: the numbers that
test_oscillate.c compares with the library.

    python3 make_oscillate_reference.py > oscillate_reference.h

The loss is (q - t)^2 for q = round(w / s) s, whose gradient goes straight through the rounding, so w moves down while
it rounds up and up while it rounds down: it turns round by construction. In float32, as the library.
"""
import numpy as np

f = np.float32
KEEP = f(0.01)  # m in the paper
STEPS = 400


def away(x):
    return f(np.sign(x) * np.floor(np.abs(x) + f(0.5)))


def train(w, s, t, lr, start, end):
    w, s, t, lr = f(w), f(s), f(t), f(lr)
    q = away(w / s)
    way, mean, often, fixed_at, fixed_to, turns = 0, q, f(0), 0, 0, 0
    for step in range(1, STEPS + 1):
        w = w - lr * f(2) * (away(w / s) * s - t)  # the step of gradient descent
        if fixed_at:
            w = s * fixed_to
            continue
        now = away(w / s)
        delta = int(np.sign(now - q))
        turned = delta != 0 and way != 0 and delta != way
        turns += turned
        often = KEEP * f(turned) + (1 - KEEP) * often
        mean = KEEP * now + (1 - KEEP) * mean
        if delta:
            way = delta
        q = now
        if often > end + (start - end) * 0.5 * (1 + np.cos(np.pi * step / STEPS)):
            fixed_at, fixed_to = step, away(mean)
            w = s * fixed_to
    return fixed_at, int(fixed_to), turns, float(often), float(mean), float(w)


def number(x):
    text = f"{x:.9g}"
    return (text if "." in text or "e" in text else text + ".0") + "f"


print("/* SPDX-License-Identifier: Apache-2.0\n *\n * oscillate_reference.h - written by make_oscillate_reference.py. A weight begins at w, is rounded to multiples of s, and is to be t; turns: how often\n"
      " * it went back before it was fixed, in all if it was not; often, mean: as they were left then; end: w after the last step.\n */")
print(f"enum {{ STEPS = {STEPS} }};")
print("static const struct { float w, s, t, lr, from, to; int fixed_at, fixed_to, turns; float often, mean, end; } reference[] = {")
for case in ((0.62, 0.25, 0.63, 0.3, 0.04, 0.01), (0.62, 0.25, 0.63, 0.3, 0.03, 0.01), (0.62, 0.25, 0.7, 0.3, 0.04, 0.01), (-0.4, 0.25, -0.33, 0.1, 0.04, 0.01), (0.62, 0.25, 0.63, 0.3, 0.9, 0.8),
             (0.62, 0.25, 0.63, 0.02, 0.3, 0.02), (0.1, 0.25, 0.75, 0.3, 0.04, 0.01), (0.62, 0.25, 0.74, 0.4, 0.2, 0.05)):
    at, to, turns, often, mean, end = train(*case)
    print("\t{" + ", ".join(map(number, case)) + f", {at}, {to}, {turns}, {number(often)}, {number(mean)}, {number(end)}}},")
print("};")
