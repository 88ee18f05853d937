#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gradients of a small int8 network by PyTorch, for test_int8.c: writes int8_reference.h.

The integers are computed as kernel/quant.h says, in Python's own; the gradients by autograd through the reals that they are rounded from, with a
straight-through rounding and nothing through results at the ends of their range (Lin et al. 2022, arXiv 2206.15472, section 3).
"""
import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(7)
torch.set_default_dtype(torch.float64)


def through(real, whole, lo, hi):
    """whole, with the gradient of real where it is between lo and hi."""
    inside = (whole > lo) & (whole < hi)
    return torch.where(inside, real + (whole - real).detach(), whole)


class Layer:
    def __init__(self, name, o, k, cg, groups, stride, zx, zy, lo, hi, scale):
        self.name, self.groups, self.stride, self.pad, self.zx, self.zy, self.lo, self.hi = name, groups, stride, k // 2, zx, zy, lo, hi
        self.w = rng.integers(-127, 128, (o, k, k, cg))
        self.b = rng.integers(-900, 900, o)
        self.m = np.round((scale / np.sqrt(k * k * cg)) * (0.6 + 0.1 * np.arange(o)) * 2**32).astype(np.int64)
        self.tw = torch.tensor(self.w.transpose(0, 3, 1, 2), dtype=torch.float64, requires_grad=True)
        free = self.b + zx * self.w.reshape(o, -1).sum(1)  # the stored bias has -zx sum w in it
        self.tb = torch.tensor(free, dtype=torch.float64, requires_grad=True)

    def __call__(self, x):
        acc = F.conv2d(x - self.zx, self.tw, self.tb, stride=self.stride, padding=self.pad, groups=self.groups)
        whole = acc.detach().numpy().round().astype(np.int64)
        y = np.clip(self.zy + ((whole * self.m[None, :, None, None] + 2**31) >> 32), self.lo, self.hi)
        real = self.zy + acc * torch.tensor(self.m / 2**32)[None, :, None, None]
        return through(real, torch.tensor(y, dtype=torch.float64), self.lo, self.hi)


def add(a, b, za, zb, zy, ma, mb, sy, lo, hi):
    ia, ib = (t.detach().numpy().round().astype(np.int64) for t in (a, b))
    y = np.clip(zy + ((ma * (ia - za) + mb * (ib - zb) + 2 ** (sy - 1)) >> sy), lo, hi)
    return through(zy + (ma * (a - za) + mb * (b - zb)) / 2**sy, torch.tensor(y, dtype=torch.float64), lo, hi)


def mean(x, zx):
    """Over all pixels, rounded away from the zero."""
    s = (x.detach().numpy().round().astype(np.int64) - zx).sum((2, 3), keepdims=True)
    n = x.shape[2] * x.shape[3]
    y = np.sign(s) * ((np.abs(s) * 2 + n) // (2 * n)) + zx
    real = x.mean((2, 3), keepdim=True)
    return real + (torch.tensor(y, dtype=torch.float64) - real).detach()


def put(out, kind, name, values):
    text = ", ".join(f"{v:.9g}" if kind == "float" else str(int(v)) for v in np.asarray(values).reshape(-1))
    out.append(f"static const {kind} ref_{name}[] = {{{text}}};")


x = rng.integers(-128, 128, (1, 5, 5, 2))
c1 = Layer("c1", 4, 3, 2, 1, 1, 5, -128, -128, 127, 0.011)
c2 = Layer("c2", 4, 1, 4, 1, 1, -128, -9, -128, 127, 0.012)
dw = Layer("dw", 4, 3, 1, 4, 2, 3, -20, -128, 100, 0.012)
fc = Layer("fc", 3, 1, 4, 1, 1, -20, 7, -128, 127, 0.02)
t = c1(torch.tensor(x.transpose(0, 3, 1, 2), dtype=torch.float64))
t = add(t, c2(t), -128, -9, 3, 500000, 800000, 20, -128, 127)
t = mean(dw(t), -20)
t = (fc(t).reshape(1, 3) - 7) * 0.05
loss = F.cross_entropy(t, torch.tensor([1]))
loss.backward()
out = ["/* SPDX-License-Identifier: Apache-2.0", " *", " * Written by make_int8_reference.py (PyTorch " + torch.__version__.split("+")[0] + "). */",
       "#ifndef TESTS_TRAIN_INT8_REFERENCE_H", "#define TESTS_TRAIN_INT8_REFERENCE_H", ""]
put(out, "int8_t", "x", x)
put(out, "float", "logits", t.detach().numpy())
for layer in (c1, c2, dw, fc):
    put(out, "int8_t", layer.name + "_w", layer.w)
    put(out, "int32_t", layer.name + "_b", layer.b)
    put(out, "int32_t", layer.name + "_m", layer.m)
    put(out, "float", layer.name + "_dw", layer.tw.grad.numpy().transpose(0, 2, 3, 1))
    put(out, "float", layer.name + "_db", layer.tb.grad.numpy())
out += ["", "#endif", ""]
open(__file__.rsplit("/", 1)[0] + "/int8_reference.h", "w").write("\n".join(out))
print("loss", loss.item(), "logits", t.detach().numpy())
