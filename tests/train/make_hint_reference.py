#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Losses between values within two networks, in PyTorch: the numbers that test_hint.c compares ours with.

    python3 make_hint_reference.py > hint_reference.h

The three are written as their authors write them: fitnet as the mean squared error behind nn.Linear for each position,
attention as at(x) = F.normalize(x.pow(2).mean(1).view(n, -1)) and the mean of squared differences, similarity as the
matrices of F.normalize(mm(x, x.t())) and the sum of squared differences over n^2. In float64, gradients by autograd.
Values are formulas of their index, the same in both programs. Written with PyTorch 2.13.
"""
import numpy as np
import torch
import torch.nn.functional as F

N, H, W, FEW, MANY = 3, 2, 3, 4, 5


def value(n, k):
    """u[i] in [-1, 1): the hash of make_reference.py."""
    h = np.arange(n, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(k * 40503 & 0xffffffff)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(2246822519)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(3266489917)
    return 2 * (h ^ (h >> np.uint32(16))).astype(np.float64) / 2.0**32 - 1


def tensor(shape, k):
    return torch.tensor(value(int(np.prod(shape)), k).astype(np.float32).astype(np.float64).reshape(shape))


def fitnet(z, v, w, b):
    return F.mse_loss(F.linear(z, w, b) if w is not None else z, v)  # NHWC: the last axis is the channels


def attention(z, v, w, b):
    at = lambda x: F.normalize(x.permute(0, 3, 1, 2).pow(2).mean(1).view(N, -1))
    return (at(z) - at(v)).pow(2).mean()


def similarity(z, v, w, b):
    def g(x):
        x = x.reshape(N, -1)
        return F.normalize(torch.mm(x, x.t()))
    return (g(z) - g(v)).pow(2).sum() / N**2


def numbers(t):
    return "{" + ", ".join(f"{x:.9g}f" for x in t.detach().reshape(-1).tolist()) + "}"


print("/* SPDX-License-Identifier: Apache-2.0\n *\n * hint_reference.h - written by make_hint_reference.py: the row of cop_hint_rows, whether the teacher has more channels, the loss, and\n"
      " * its gradients by the student's value and by the linear map.\n */")
print(f"enum {{ N = {N}, H = {H}, W = {W}, FEW = {FEW}, MANY = {MANY} }};")
print("static const struct { int row; bool more; float loss, dz[N * H * W * FEW], dw[MANY * FEW], db[MANY]; } reference[] = {")
for row, loss, more in ((0, fitnet, False), (0, fitnet, True), (1, attention, False), (1, attention, True), (2, similarity, True)):
    z = tensor((N, H, W, FEW), 1).requires_grad_(True)
    v = tensor((N, H, W, MANY if more else FEW), 2)
    w = tensor((MANY, FEW), 3).requires_grad_(True) if row == 0 and more else None
    b = tensor((MANY,), 4).requires_grad_(True) if w is not None else None
    y = loss(z, v, w, b)
    y.backward()
    print(f"\t{{{row}, {str(more).lower()}, {y.item():.9g}f,\n\t\t{numbers(z.grad)},\n\t\t{numbers(w.grad) if w is not None else '{0}'}, {numbers(b.grad) if b is not None else '{0}'}}},")
print("};")
