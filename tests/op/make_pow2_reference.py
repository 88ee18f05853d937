#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The numbers that test_pow2.c and test_shift_form.c compare ours with, from PyTorch in float64: rounding to powers of two as DeepShift does
(arXiv 1905.13298, Q form), and weights of signs and exponents that are trained apart (PS form), whose roundings let gradients through.
Written with PyTorch 2.13."""
import torch

X = [0.0, 0.3, -0.35, 0.36, 1.4142135, 1.4142137, -0.75, 0.7, 2.9, -3.1, 0.06, -0.0624, 0.0626, 0.01, 90.0, -1e-30]


def through(x, y):
    return x + (y - x).detach()


def quantised(x, low, high, zero):
    p = torch.log2(x.abs().clamp(min=1e-60)).round().clamp(low, high)
    y = torch.sign(x) * 2.0**p
    return torch.where(x.abs() < 2.0 ** (low - 1), torch.zeros_like(y), y) if zero else y


def row(values):
    return "{" + ", ".join(f"{v:.9g}" for v in values) + "}"


def main():
    x = torch.tensor(X, dtype=torch.float64)
    for low, high, zero in ((-3, 1, 1), (-3, 1, 0), (-6, 0, 1), (-14, 7, 0), (2, 2, 1)):
        print(f"\t{{{low}, {high}, {zero}, {row(quantised(x, low, high, zero).tolist())}}},")

    # w = round(sign) 2^(top + round(power)), six inputs and one output; the loss is sum dy w
    sign = torch.tensor([1, -1, 0.4, -0.6, 1.3, 0.2], dtype=torch.float64, requires_grad=True)
    power = torch.tensor([0, -2.6, -1, -5.8, -0.4, 0.7], dtype=torch.float64, requires_grad=True)
    dy = torch.tensor([0.5, -1.25, 0.75, 2, -0.6, 1.1], dtype=torch.float64)
    top, exponents = 1, 5
    # beyond the ends, once rounded, there is no slope
    s = torch.where(sign.round().abs() <= 1, through(sign, sign.round()), sign.round().clamp(-1, 1).detach())
    inside = (power.round() <= 0) & (power.round() >= 1 - exponents)
    p = torch.where(inside, through(power, power.round()), power.round().clamp(1 - exponents, 0).detach())
    w = s * 2.0 ** (top + p)
    (w * dy).sum().backward()
    print("w", row(w.tolist()), "\nds", row(sign.grad.tolist()), "\ndp", row(power.grad.tolist()))


main()
