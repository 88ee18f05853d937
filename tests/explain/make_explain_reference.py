#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Maps of what a network looked at, by PyTorch, on the network of tests/explain/test_explain.c; and Spearman's rank correlation by numpy. Prints explain_reference.h.
# usage: make_explain_reference.py >explain_reference.h
import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
H, W, C, CLASS = 6, 8, 2, 1


def numbers(n, a, m, half, by):
    return np.array([((i * a) % m - half) / by for i in range(n)])


sample = numbers(H * W * C, 5, 17, 3, 12).reshape(H, W, C)
w1 = numbers(3 * 3 * 3 * 2, 7, 23, 11, 20).reshape(3, 3, 3, 2)  # O H W I
gamma, beta, mean, var = np.array([1.5, -0.5, 0.75]), np.array([0.1, 0.2, -0.1]), np.array([0.05, -0.1, 0.2]), np.array([0.5, 1.5, 0.8])
w2 = numbers(4 * 9 * 3, 5, 11, 5, 18).reshape(4, 3, 3, 3)
b2 = numbers(4, 3, 7, 1, 10)
w3 = numbers(3 * 4, 3, 7, 3, 4).reshape(3, 4)


def oihw(w):
    return torch.tensor(w).permute(0, 3, 1, 2)


def scores(x):
    """x [h, w, c]; logits, and what the last convolution puts out behind its activation."""
    n = x.permute(2, 0, 1)[None]
    a = F.conv2d(n, oihw(w1), padding=1)
    a = F.relu(F.batch_norm(a, torch.tensor(mean), torch.tensor(var), torch.tensor(gamma), torch.tensor(beta), False, 0.1, 1e-5))
    f = F.relu(F.conv2d(F.max_pool2d(a, 2), oihw(w2), torch.tensor(b2), padding=1))
    return (f.mean((2, 3)) @ torch.tensor(w3).T)[0], f


x = torch.tensor(sample, requires_grad=True)
y, f = scores(x)
f.retain_grad()
y[CLASS].backward()

saliency = x.grad.abs().amax(2).numpy()

cam = F.relu((f.grad.mean((2, 3), keepdim=True) * f).sum(1, keepdim=True))
cam = F.interpolate(cam, (H, W), mode="bilinear", align_corners=False)[0, 0].detach().numpy()


def occlusion(patch, stride):
    fall, times = np.zeros((H, W)), np.zeros((H, W))

    def places(n):
        return sorted({min(i, n - patch) for i in range(0, n - patch + stride, stride)})

    for t in places(H):
        for l in places(W):
            covered = sample.copy()
            covered[t:t + patch, l:l + patch] = sample.mean((0, 1))
            with torch.no_grad():
                d = (y[CLASS] - scores(torch.tensor(covered))[0][CLASS]).item()
            fall[t:t + patch, l:l + patch] += d
            times[t:t + patch, l:l + patch] += 1
    return fall / times


def ranks(v):
    return np.array([(v < e).sum() + ((v == e).sum() - 1) / 2 for e in v])


def show(name, v):
    print("static const float %s[] = {%s};" % (name, ", ".join("%.9gf" % e if "." in "%.9g" % e or "e" in "%.9g" % e else "%.9g.0f" % e for e in np.asarray(v).reshape(-1))))


print("/* SPDX-License-Identifier: Apache-2.0 */\n/* Written by make_explain_reference.py. */")
show("want_scores", y.detach().numpy())
show("want_saliency", saliency)
show("want_grad_cam", cam)
show("want_occlusion_3_2", occlusion(3, 2))
show("want_occlusion_2_1", occlusion(2, 1))
a, b = numbers(30, 7, 11, 3, 4), numbers(30, 5, 13, 6, 3)
show("ties_a", a)
show("ties_b", b)
show("want_rank", [np.corrcoef(ranks(a), ranks(b))[0, 1]])
