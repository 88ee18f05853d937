#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The numbers that test_addconv.c compares ours with: AdderNet's layer (arXiv 1912.13200) over unfolded windows in PyTorch, in float64. The gradient
of w is sum dy (x - w), that of x sum dy (w - x) held within -1 .. 1; rescaled, that of w is 0.2 sqrt(k) dw / |dw|. And all of it behind factors and
biases of the sums, whose own gradients are PyTorch's. Written with PyTorch 2.13."""
import torch
import torch.nn.functional as F

x = (torch.arange(2 * 3 * 3 * 2, dtype=torch.float64) * 37 % 23 / 8 - 1.25).reshape(2, 3, 3, 2)
w = (torch.arange(3 * 2 * 2 * 2, dtype=torch.float64) * 29 % 19 / 8 - 1).reshape(3, 2, 2, 2)
dy = (torch.arange(2 * 2 * 2 * 3, dtype=torch.float64) * 31 % 17 / 8 - 1).reshape(2, 2, 2, 3)
# stride 2, one row and column of padding before and none behind, no dilation
padded = F.pad(x.permute(0, 3, 1, 2), (1, 0, 1, 0))
cols = F.unfold(padded, 2, stride=2)  # [n, c kh kw, places]
wc = w.permute(0, 3, 1, 2).reshape(3, -1)  # [o, c kh kw]
diff = cols[:, None] - wc[None, :, :, None]  # [n, o, taps, places]
y = -diff.abs().sum(2)  # [n, o, places]
d = dy.permute(0, 3, 1, 2).reshape(2, 3, -1)
factor, bias = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in ([0.5, -2, 1.25], [3, -1, 0.25]))
folded = y * factor[:, None] + bias[:, None]
(folded * d).sum().backward()
df = d * factor.detach()[:, None]
dw_folded = (df[:, :, None] * diff).sum((0, 3))
dx_folded = F.fold((df[:, :, None] * (-diff).clamp(-1, 1)).sum(1), (4, 4), 2, stride=2)[:, :, 1:, 1:]
dw = (d[:, :, None] * diff).sum((0, 3))
dcols = (d[:, :, None] * (-diff).clamp(-1, 1)).sum(1)
dx = F.fold(dcols, (4, 4), 2, stride=2)[:, :, 1:, 1:]
scaled = 0.2 * dw.numel() ** 0.5 * dw / dw.norm()


def row(name, t):
    print(f"{name}[] = {{{', '.join(f'{v:.9g}' for v in t.reshape(-1).tolist())}}};")


row("y", y.reshape(2, 3, 2, 2).permute(0, 2, 3, 1))
row("dx", dx.permute(0, 2, 3, 1))
row("dw", dw.reshape(3, 2, 2, 2).permute(0, 2, 3, 1))
row("scaled", scaled.reshape(3, 2, 2, 2).permute(0, 2, 3, 1))
row("folded", folded.detach().reshape(2, 3, 2, 2).permute(0, 2, 3, 1))
row("dx_folded", dx_folded.permute(0, 2, 3, 1))
row("dw_folded", dw_folded.reshape(3, 2, 2, 2).permute(0, 2, 3, 1))
row("dfactor", factor.grad)
row("dbias", bias.grad)
