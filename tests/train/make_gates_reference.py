#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes gates_reference.h: losses and probabilities of a small residual network with gates over a few steps, in double precision by PyTorch.

   python3 tests/train/make_gates_reference.py > tests/train/gates_reference.h
"""
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
STEPS, BATCH, WIDTH, BLOCKS, SMALL = 6, 4, 6, 3, 10
DRAWS = [[0.2, 0.3], [0.3, 0.95], [0.97, 0.1], [0.99, 0.98], [0.1, 0.2], [0.5, 0.4]]
STRENGTH, LR = 0.7, 0.1
SIGNS = [1, 1, -1, -1, 1, 1]


def weights():
    """By name, in the order of names."""
    shapes = {f"b{i}.{w}": s for i in range(BLOCKS) for w, s in (("w", (WIDTH, WIDTH)), ("v", (WIDTH, WIDTH)))}
    shapes |= {"in.w": (WIDTH, WIDTH), "out.w": (3, WIDTH)}
    shapes |= {"beside1.gates.x": (40, SMALL), "beside1.gates.h": (40, SMALL), "beside1.gates.b": (40,), "beside1.gates.p": (1, SMALL), "beside1.gates.p.b": (1,)}
    for k in (1, 2):
        shapes |= {f"beside{k}.gates.e": (SMALL, WIDTH), f"beside{k}.gates.e.b": (SMALL,)}
    out = {}
    for i, name in enumerate(sorted(shapes)):
        n = torch.Size(shapes[name]).numel()
        out[name] = (0.4 * torch.sin(1.7 * torch.arange(n) + i)).float().double().reshape(shapes[name]).requires_grad_()
    return out


def forward(w, x, draws):
    h, c, p = torch.zeros(1, SMALL), torch.zeros(1, SMALL), []
    x = torch.relu(x @ w["in.w"].T)
    for i in range(BLOCKS):
        times, runs = 1, True
        if i:
            e = x.detach().mean(0, keepdim=True) @ w[f"beside{i}.gates.e"].T + w[f"beside{i}.gates.e.b"]
            z = e @ w["beside1.gates.x"].T + w["beside1.gates.b"] + h @ w["beside1.gates.h"].T
            a, f, g, o = z.split(SMALL, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(a) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            p.append(torch.sigmoid(h @ w["beside1.gates.p"].T + w["beside1.gates.p.b"]).reshape(()))
            runs, times = bool(p[-1] > draws[i - 1]), 1 / p[-1].detach().clamp(0.1, 1) + p[-1] - p[-1].detach()
        if runs:
            x = torch.relu(x + times * (torch.tanh(x @ w[f"b{i}.w"].T) @ w[f"b{i}.v"].T))
        else:
            x = torch.relu(x)
    return x @ w["out.w"].T, p


def run():
    w, rows = weights(), []
    for step in range(STEPS):
        x = torch.sin(0.9 * torch.arange(BATCH * WIDTH) + step).float().double().reshape(BATCH, WIDTH)
        y, p = forward(w, x, DRAWS[step])
        loss = F.cross_entropy(y, torch.tensor([(i + step) % 3 for i in range(BATCH)])) + SIGNS[step] * STRENGTH * 0.5 * (p[0] + p[1])
        rows.append((loss.item(), p[0].item(), p[1].item(), *(int(p[k] > DRAWS[step][k]) for k in (0, 1))))
        for v in w.values():
            v.grad = None
        loss.backward()
        with torch.no_grad():
            for v in w.values():
                if v.grad is not None:
                    v -= LR * v.grad
    return rows


if __name__ == "__main__":
    print("/* SPDX-License-Identifier: Apache-2.0\n *\n * Made by make_gates_reference.py. */")
    print("static const struct { float draw[2], sign; double loss, p[2]; int runs[2]; } gates_steps[] = {")
    for (loss, p0, p1, r0, r1), d, s in zip(run(), DRAWS, SIGNS):
        print(f"\t{{{{{d[0]}f, {d[1]}f}}, {s}.0f, {loss:.9g}, {{{p0:.9g}, {p1:.9g}}}, {{{r0}, {r1}}}}},")
    print("};")
