#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gradients of a small network whose layers keep what they read in bytes, by PyTorch in double precision, for test_saved.c: writes saved_reference.h.

Three ways: as it is; bytes for the gradients of weights alone; bytes for batch norm and GELU, too. What c3 has read is GELU computed again, of its input as
that is kept: exact in the second way. bound: how far a gradient of the second way may be
from the first, half a step for each number that was rounded times the magnitude of what comes back.
"""
import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.grad import conv2d_input, conv2d_weight

torch.set_default_dtype(torch.float64)
rng = np.random.default_rng(20)
SHAPE = {"c1": (6, 3, 3, 4), "b1": (6,), "gamma": (6,), "beta": (6,), "c2": (8, 3, 3, 6), "b2": (8,), "c3": (5, 1, 1, 8), "b3": (5,), "fc": (3, 45), "b4": (3,)}
w = {k: torch.tensor(rng.normal(0, 0.4, s).astype(np.float32).astype(np.float64), requires_grad=True) for k, s in SHAPE.items()}
w["gamma"].data.abs_().add_(0.5)
w["gamma"].data = w["gamma"].data.float().double()
x = rng.normal(0, 1, (2, 6, 6, 4)).astype(np.float32)
label = torch.tensor([2, 0])
nearest_tie = 1.0


def packed(t, positive):
    """t by a byte each, and half a step of each sample."""
    global nearest_tie
    n = t.shape[0]
    step = t.abs().reshape(n, -1).max(1).values / (255 if positive else 127)
    s = step.reshape(-1, *[1] * (t.dim() - 1))
    nearest_tie = min(nearest_tie, ((t / s) % 1 - 0.5).abs().min().item())
    return torch.round(t / s) * s, (s / 2).expand_as(t)


class Conv(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t, weight, bias, pad, positive, name):
        ctx.save_for_backward(t, weight)
        ctx.rest = pad, positive, name
        return F.conv2d(t, weight, bias, padding=pad)

    @staticmethod
    def backward(ctx, dy):
        t, weight = ctx.saved_tensors
        pad, positive, name = ctx.rest
        kept, half = packed(t, positive) if mode else (t, torch.zeros_like(t))
        if name == "c3":
            kept, half = F.gelu(packed(before_gelu, False)[0]) if mode == 2 else t, torch.zeros_like(t)
        if mode == 1:
            bound[name] = conv2d_weight(half, weight.shape, dy.abs(), padding=pad).permute(0, 2, 3, 1)
        return conv2d_input(t.shape, weight, dy, padding=pad), conv2d_weight(kept, weight.shape, dy, padding=pad), dy.sum((0, 2, 3)), None, None, None


class Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t, weight, bias):
        ctx.save_for_backward(t, weight)
        return t @ weight.T + bias

    @staticmethod
    def backward(ctx, dy):
        t, weight = ctx.saved_tensors
        kept, half = packed(t, True) if mode else (t, torch.zeros_like(t))
        if mode == 1:
            bound["fc"] = dy.abs().T @ half
        return dy @ weight, dy.T @ kept, dy.sum(0)


class NormRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t, gamma, beta):
        mean, var = t.mean((0, 2, 3), keepdim=True), t.var((0, 2, 3), unbiased=False, keepdim=True)
        ctx.save_for_backward(t, mean, (var + 1e-5).rsqrt(), gamma, beta)
        return F.relu((t - mean) * (var + 1e-5).rsqrt() * gamma.reshape(1, -1, 1, 1) + beta.reshape(1, -1, 1, 1))

    @staticmethod
    def backward(ctx, dy):
        t, mean, rstd, gamma, beta = ctx.saved_tensors
        xhat = ((packed(t, False)[0] if mode == 2 else t) - mean) * rstd
        g, b = gamma.reshape(1, -1, 1, 1), beta.reshape(1, -1, 1, 1)
        d = dy * (xhat * g + b > 0)
        all_ = (0, 2, 3)
        dx = g * rstd * (d - d.mean(all_, keepdim=True) - xhat * (d * xhat).mean(all_, keepdim=True))
        return dx, (d * xhat).sum(all_), d.sum(all_)


class Gelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, t):
        global before_gelu
        ctx.save_for_backward(t)
        before_gelu = t
        return F.gelu(t)

    @staticmethod
    def backward(ctx, dy):
        (t,) = ctx.saved_tensors
        t = packed(t, False)[0] if mode == 2 else t
        return dy * (0.5 * (1 + torch.erf(t / 2**0.5)) + t * torch.exp(-t * t / 2) / (2 * torch.pi) ** 0.5)


def loss():
    def oihw(k):
        return w[k].permute(0, 3, 1, 2)

    t = torch.tensor(x.transpose(0, 3, 1, 2).astype(np.float64))
    t = NormRelu.apply(Conv.apply(t, oihw("c1"), w["b1"], 1, False, "c1"), w["gamma"], w["beta"])
    t = F.max_pool2d(t, 2)
    t = Gelu.apply(Conv.apply(t, oihw("c2"), w["b2"], 1, True, "c2"))
    t = Conv.apply(t, oihw("c3"), w["b3"], 0, False, "c3").clamp(0, 0.6)
    return F.cross_entropy(Linear.apply(t.permute(0, 2, 3, 1).reshape(2, -1), w["fc"], w["b4"]), label)


out = ["/* SPDX-License-Identifier: Apache-2.0", " *", " * Written by make_saved_reference.py (PyTorch " + torch.__version__.split("+")[0] + "). */",
       "#ifndef TESTS_TRAIN_SAVED_REFERENCE_H", "#define TESTS_TRAIN_SAVED_REFERENCE_H", ""]


def put(name, values):
    out.append(f"static const float ref_{name}[] = {{{', '.join(f'{v:.9g}' for v in np.asarray(values).reshape(-1))}}};")


put("x", x)
for k in w:
    put(k, w[k].detach().numpy())
grads, bound = [], {}
for mode in range(3):
    for v in w.values():
        v.grad = None
    loss().backward()
    grads.append({k: v.grad.clone() for k, v in w.items()})
    for k in w:
        put(f"{k}_{mode}", grads[mode][k].numpy())
for k in w:
    put(f"{k}_bound", bound[k].numpy() if k in bound else np.zeros(SHAPE[k]))
    off = (grads[1][k] - grads[0][k]).abs()
    assert (off <= (bound[k] if k in bound else 0 * off) + 1e-12).all(), k
    print(k, "off by", off.max().item(), "of", grads[0][k].abs().max().item(), "all", (grads[2][k] - grads[0][k]).abs().max().item())
assert nearest_tie > 2e-4, nearest_tie  # floats round as doubles do
out += ["", "#endif", ""]
open(__file__.rsplit("/", 1)[0] + "/saved_reference.h", "w").write("\n".join(out))
