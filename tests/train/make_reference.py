#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Ten training steps in PyTorch: the numbers that test_reference.c compares ours with.

    coppice inspect lenet-5 --batch 8 --graph > lenet-5.txt
    python3 make_reference.py lenet-5.txt "momentum=0.9 nesterov=1 decay=5e-4 lr=0.05" > reference/lenet-5.ref

Reads the text form of a graph and builds the same network from torch.nn.functional, in float64, so that what differs is
our rounding alone. Weights and inputs are formulas of their index, the same in both programs (see value()).
The rates of the deep networks are small: with larger ones PyTorch in float32 is as far from PyTorch in float64 as we are, because
a rectifier that flips is amplified by batch norm. Written with PyTorch 2.13.
"""
import math
import re
import sys

import numpy as np
import torch
import torch.nn.functional as F


def value(n, k):
    """u[i] in [0, 1): a hash of (i, k) in 32 bits."""
    h = np.arange(n, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(k * 40503 & 0xffffffff)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(2246822519)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(3266489917)
    return (h ^ (h >> np.uint32(16))).astype(np.float64) / 2.0**32


def initial(name, shape, k):
    u = value(math.prod(shape), k)
    if len(shape) > 1:
        bound = math.sqrt(3.0 / math.prod(shape[1:]))
        return (bound * (2 * u - 1)).astype(np.float32)
    return ((1 + 0.1 * u) if re.search(r"(gamma|var)$", name) else 0.1 * u).astype(np.float32)


def parse(path):
    leaves, nodes, output = {}, [], None
    for line in open(path):
        w = line.split()
        if not w or w[0] in ("graph", "#"):
            continue
        if w[0] in ("input", "param", "state", "const"):
            dims = [int(x) for x in re.search(r"\[(.*)\]", w[2]).group(1).split(",")]
            leaves[w[1]] = (w[0], dims)
        elif w[0] == "output":
            output = w[1]
        else:
            eq = w.index("=")
            args = [x for x in w[eq + 2:] if "=" not in x]
            attr = dict(x.split("=") for x in w[eq + 2:] if "=" in x)
            nodes.append((w[:eq], w[eq + 1], args, attr))
    return leaves, nodes, output


def act(y, a):
    lo, hi = float(a.get("lo", "-inf")), float(a.get("hi", "inf"))
    return y if lo == -math.inf and hi == math.inf else y.clamp(lo, hi)


def forward(nodes, output, val, state):
    """val: name -> tensor, activations NHWC. Batch norm uses the batch and moves the running statistics."""
    v = dict(val)
    for outs, op, args, a in nodes:
        g = lambda k, d=0: int(a.get(k, d))
        x = v[args[0]]
        if op == "conv":
            w = v[args[1]].permute(0, 3, 1, 2)
            xp = F.pad(x.permute(0, 3, 1, 2), (g("pl"), g("pr"), g("pt"), g("pb")))
            b = v[args[2]] if len(args) > 2 and args[2] != "_" else None
            y = act(F.conv2d(xp, w, b, (g("sh"), g("sw")), 0, (g("dh", 1), g("dw", 1)), g("groups", 1)).permute(0, 2, 3, 1), a)
        elif op == "fc":
            y = act(F.linear(x, v[args[1]], v[args[2]] if len(args) > 2 else None), a)
        elif op == "bn":
            m, var = state[args[3]], state[args[4]]
            y = act(F.batch_norm(x.permute(0, 3, 1, 2) if x.dim() == 4 else x, m, var, v[args[1]], v[args[2]], True, float(a.get("momentum", 0)),
                                 float(a["eps"])).permute(*((0, 2, 3, 1) if x.dim() == 4 else (0, 1))), a)
        elif op == "clip":
            y = act(x, a)
        elif op == "add":
            y = act(x + v[args[1]], a)
        elif op == "maxpool":
            xp = F.pad(x.permute(0, 3, 1, 2), (g("pl"), g("pr"), g("pt"), g("pb")), value=-math.inf)
            y = F.max_pool2d(xp, (g("kh"), g("kw")), (g("sh"), g("sw"))).permute(0, 2, 3, 1)
        elif op == "avgpool":
            y = F.avg_pool2d(x.permute(0, 3, 1, 2), (g("kh"), g("kw")), (g("sh"), g("sw"))).permute(0, 2, 3, 1)
        elif op == "reshape":
            dims = [int(d) for d in a["dim"].split(",")]
            dims += [0] * (int(a["rank"]) - len(dims))
            y = x.reshape([x.shape[i] if d == 0 else d for i, d in enumerate(dims)])
        elif op == "concat":
            y = torch.cat([v[n] for n in args], int(a["axis"]))
        elif op == "pad":
            b, c = ([int(z) for z in a.get(k, "0").split(",")] for k in ("before", "after"))
            b, c = b + [0] * (x.dim() - len(b)), c + [0] * (x.dim() - len(c))
            y = F.pad(x, [p for i in reversed(range(x.dim())) for p in (b[i], c[i])])
        elif op == "slice":
            f, s, t = ([int(z) for z in a.get(k, "0").split(",")] + [0] * 6 for k in ("from", "size", "step"))
            y = x[tuple(slice(f[i], None if not s[i] else f[i] + (s[i] - 1) * max(1, t[i]) + 1, max(1, t[i])) for i in range(x.dim()))]
        else:
            raise SystemExit(f"make_reference: op {op} is not known here")
        v[outs[0]] = y
    return v[output]


def main():
    leaves, nodes, output = parse(sys.argv[1])
    opt = dict(x.split("=") for x in sys.argv[2].split())
    params, state, k = {}, {}, 0
    for name, (role, dims) in leaves.items():
        if role in ("param", "state"):
            t = torch.tensor(initial(name, dims, k).astype(np.float64).reshape(dims))
            k += 1
            if role == "param":
                params[name] = t.requires_grad_(True)
            else:
                state[name] = t
    decay = float(opt.get("decay", 0))
    groups = [{"params": [p for p in params.values() if p.dim() > 1], "weight_decay": decay},
              {"params": [p for p in params.values() if p.dim() <= 1], "weight_decay": 0}]
    if "adam" in opt.get("update", "sgd"):
        make = torch.optim.AdamW if opt["update"] == "adamw" else torch.optim.Adam
        optimiser = make(groups, lr=float(opt["lr"]), eps=1e-8)
    else:
        optimiser = torch.optim.SGD(groups, lr=float(opt["lr"]), momentum=float(opt.get("momentum", 0.9)), nesterov=opt.get("nesterov") == "1")
    x_dims = leaves["x"][1]
    print(f"options {sys.argv[2]}")
    print(f"batch {x_dims[0]}")
    for step in range(10):
        x = torch.tensor(value(math.prod(x_dims), 1000 + step).astype(np.float32).astype(np.float64).reshape(x_dims))
        y = forward(nodes, output, {**params, "x": x}, state)
        label = torch.tensor([(7 * i + step) % 10 for i in range(x_dims[0])])
        loss = F.cross_entropy(y, label, label_smoothing=float(opt.get("smooth", 0)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        print(f"loss {step} {loss.item():.9g}")
    for name, t in {**params, **state}.items():
        f = t.detach().reshape(-1).numpy()
        print(f"value {name} {np.abs(f).mean():.9g} {f[0]:.9g} {f[-1]:.9g}")


main()
