#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Numbers of PyTorch for tests/train/test_dkm.c: differentiable k-means of 7 weights and 3 centroids, and gradients through all its rounds.
import torch

torch.set_printoptions(precision=9)
w = torch.tensor([-0.9, -0.4, -0.35, 0.0, 0.2, 0.6, 1.1], dtype=torch.float64)
r = torch.tensor([1.0, -2.0, 0.5, 3.0, -1.0, 0.25, 2.0], dtype=torch.float64)
for temperature in (0.5, 0.05):
    for rounds in (1, 3):
        for masked in (False, True):
            kept = torch.ones(7, dtype=torch.float64)
            if masked:
                kept[3] = 0
            x = w.clone().requires_grad_()
            c = torch.tensor([-0.5, 0.1, 0.8], dtype=torch.float64)
            for _ in range(rounds):
                a = torch.softmax(-(x[:, None] - c[None]) ** 2 / temperature, 1) * kept[:, None]
                c = ((a * x[:, None]).sum(0) + c / 1000) / (a.sum(0) + 1 / 1000)
            y = (torch.softmax(-(x[:, None] - c[None]) ** 2 / temperature, 1) * c[None]).sum(1) * kept
            (y * r).sum().backward()
            line = lambda t: "{" + ", ".join("%sf" % (lambda s: s if "." in s or "e" in s else s + ".0")("%.7g" % v) for v in t.tolist()) + "}"
            print("\t{%gf, %d, %s, %s, %s, %s}," % (temperature, rounds, str(masked).lower(), line(c.detach()), line(y.detach()), line(x.grad)))
