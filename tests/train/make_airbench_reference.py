#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes airbench_reference.h: losses of a narrow airbench over a few steps, and whitening filters, both in double precision by PyTorch.

   python3 tests/train/make_airbench_reference.py > tests/train/airbench_reference.h
"""
import os, sys
import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench"))
from airbench_torch import Airbench, optimizer

torch.set_default_dtype(torch.float64)
STEPS, BATCH, SAMPLES = 5, 4, 20


def waves(n, k0, rate):
    return torch.sin(rate * torch.arange(n) + k0).float().double()


def in_order(net):
    """As Coppice lists them: weights as [out,kh,kw,in]; gamma stays 1."""
    for p in (net.whiten.weight, net.whiten.bias):
        yield p
    for g in net.groups:
        for conv, norm in ((g.conv1, g.norm1), (g.conv2, g.norm2)):
            yield conv.weight
            yield None
            yield norm.bias
    yield net.fc.weight


def losses():
    net = Airbench(0.05).double()
    for i, p in enumerate(in_order(net)):
        if p is None:
            continue
        shape = [p.shape[0], *p.shape[2:], p.shape[1]] if p.dim() == 4 else list(p.shape)
        w = 0.3 * waves(p.numel(), 2 * i, 1.7).reshape(shape)
        p.data = (w.permute(0, 3, 1, 2) if p.dim() == 4 else w).float().double().contiguous()
    opt, out = optimizer(net, 0.01), []
    for g in opt.param_groups:
        g["lr"] = 0.01 * g["times"]
    for step in range(STEPS):
        x = waves(BATCH * 32 * 32 * 3, step, 0.9).reshape(BATCH, 32, 32, 3).permute(0, 3, 1, 2)
        loss = torch.nn.functional.cross_entropy(net(x), torch.tensor([(i + step) % 10 for i in range(BATCH)]), label_smoothing=0.2)
        out.append(loss.item())
        opt.zero_grad()
        loss.backward()
        opt.step()
    return out


def filters():
    i, k = torch.arange(SAMPLES)[:, None], torch.arange(32 * 32 * 3)[None, :]
    x = ((k * k * 7919 + k * 104729 + i * 15485863 + i * k * 31) % 1009).double() / 1009
    net = Airbench(0.05).double()
    net.whiten_by(x.reshape(SAMPLES, 32, 32, 3).permute(0, 3, 1, 2).contiguous())
    w = net.whiten.weight.data[:12].permute(0, 2, 3, 1).reshape(12, 12)
    return [v * (1 if v[v.abs().argmax()] > 0 else -1) for v in w]


if __name__ == "__main__":
    print("/* SPDX-License-Identifier: Apache-2.0\n *\n * Made by make_airbench_reference.py. */")
    print(f"static const double airbench_loss[{STEPS}] = {{{', '.join(f'{v:.9g}' for v in losses())}}};")
    print("static const double airbench_filter[12][12] = {")
    for v in filters():
        print("\t{" + ", ".join(f"{x:.7g}" for x in v.tolist()) + "},")
    print("};")
