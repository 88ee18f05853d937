#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rounding that is learned, of two weights, by PyTorch's gradients and its Adam: the numbers that test_blocks.c compares
with the library.

    python3 make_blocks_reference.py > blocks_reference.h

q = base + h(v) with h = clamp(1.2 sigmoid(v) - 0.1, 0, 1); the loss is `unit` times the mean squared error of s q x
against w x over three samples, and, from a fifth of the steps on, pull times the sum of 1 - |2 h - 1|^beta, where beta
falls from 20 to 2.
"""
import torch

STEPS, RATE, PULL, UNIT = 300, 0.02, 0.3, 1.0
w, s = torch.tensor([0.3, 0.8]), 0.5
x = torch.tensor([[1.0, 2.0], [0.5, -1.0], [2.0, 1.0]])
base = torch.tensor([0.0, 1.0])
rest = torch.tensor([0.6, 0.7])
v = (-torch.log(1.2 / (rest + 0.1) - 1)).requires_grad_()
adam = torch.optim.Adam([v], lr=RATE)

print("/* Made by make_blocks_reference.py. */")
print(f"static const int steps = {STEPS};")
print(f"static const float rate = {RATE}f, pull = {PULL}f, unit = {UNIT}f;")
print("static const struct { int t; float error, v[2]; } learned[] = {")
for t in range(STEPS):
    h = torch.clamp(1.2 * torch.sigmoid(v) - 0.1, 0, 1)
    error = (((s * (base + h) - w) * x).sum(1) ** 2).mean()
    loss = UNIT * error
    if t >= 0.2 * STEPS:
        beta = 20 - 18 * (t / STEPS - 0.2) / 0.8
        loss = loss + PULL * (1 - (2 * h - 1).abs() ** beta).sum()
    if t in (0, 1, 20, 60, 100, 150, 200, 250, 280, 299):
        print(f"\t{{{t}, {error.item():.7g}f, {{{v[0].item():.7g}f, {v[1].item():.7g}f}}}},")
    adam.zero_grad()
    loss.backward()
    adam.step()
print("};")
