#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# What scores of pruning should be, by PyTorch and numpy, on the network of tests/compress/test_prune_scores.c: prints tests/compress/score_reference.h.
# usage: make_score_reference.py >score_reference.h
import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def numbers(n, a, m, half, by):
    return np.array([((i * a) % m - half) / by for i in range(n)])


N, CLASSES = 4, 3
x = torch.tensor(numbers(N * 4 * 4 * 2, 5, 17, 8, 8).reshape(N, 4, 4, 2)).permute(0, 3, 1, 2)
label = torch.tensor([0, 2, 1, 0])
w1 = numbers(3 * 3 * 3 * 2, 7, 23, 11, 20).reshape(3, 3, 3, 2)  # O H W I
b1 = numbers(3, 3, 5, 2, 10)
gamma, beta, mean, var = np.array([1.5, -0.5, 0.75]), np.array([0.1, 0.2, -0.1]), np.array([0.05, -0.1, 0.2]), np.array([0.5, 1.5, 0.8])
w2 = numbers(4 * 3, 5, 11, 5, 8).reshape(4, 1, 1, 3)
w3 = numbers(CLASSES * 4, 3, 7, 3, 4).reshape(CLASSES, 4)
b3 = numbers(CLASSES, 2, 3, 1, 10)


def oihw(w):
    return torch.tensor(w).permute(0, 3, 1, 2)


def forward(p, x):
    """Logits, and what the channels of conv1 and conv2 put out."""
    c1 = F.conv2d(x, p[0].permute(0, 3, 1, 2), torch.tensor(b1), padding=1)
    a1 = F.relu(F.batch_norm(c1, torch.tensor(mean), torch.tensor(var), torch.tensor(gamma), torch.tensor(beta), False, 0.1, 1e-5))
    a1.retain_grad()
    a2 = F.relu(F.conv2d(F.max_pool2d(a1, 2), p[1].permute(0, 3, 1, 2)))
    a2.retain_grad()
    y = F.avg_pool2d(a2, 2).flatten(1) @ p[2].T + torch.tensor(b3)
    return y, (a1, a2)


def weights():
    return [torch.tensor(w, requires_grad=True) for w in (w1, w2, w3)]


def show(name, v):
    print("static const float %s[] = {%s};" % (name, ", ".join("%.7g" % t for t in np.asarray(v).ravel())))


def gradients(x, label):
    p = weights()
    y, a = forward(p, x)
    F.cross_entropy(y, label).backward()
    return [t.grad.numpy() for t in p], a


def per_channel(v):  # [N, C, H, W] -> [C]
    return v.mean((2, 3))


def curvature():
    """LeCun et al. 1990 by hand: squares of weights and inputs, nothing across places, the mean over samples."""
    h = [np.zeros_like(w) for w in (w1, w2, w3)]
    for s in range(N):
        xs = x[s].permute(1, 2, 0).numpy()
        pad = np.pad(xs, ((1, 1), (1, 1), (0, 0)))
        k = gamma / np.sqrt(var + 1e-5)
        c1 = np.zeros((4, 4, 3))
        for i in range(4):
            for j in range(4):
                c1[i, j] = np.tensordot(w1, pad[i:i + 3, j:j + 3], 3) + b1
        z = (c1 - mean) * k + beta
        a1 = np.maximum(z, 0)
        pool, at = np.zeros((2, 2, 3)), {}
        for i in range(2):
            for j in range(2):
                for c in range(3):
                    win = a1[2 * i:2 * i + 2, 2 * j:2 * j + 2, c]
                    pool[i, j, c] = win.max()
                    at[i, j, c] = np.unravel_index(win.argmax(), (2, 2))
        c2 = pool @ w2[:, 0, 0].T
        a2 = np.maximum(c2, 0)
        f = a2.mean((0, 1))
        y = w3 @ f + b3
        p = np.exp(y - y.max())
        p /= p.sum()
        hy = p * (1 - p)
        h[2] += np.outer(hy, f ** 2) / N
        hf = (w3 ** 2).T @ hy
        ha2 = np.broadcast_to(hf / 16, (2, 2, 4)) * (c2 > 0)
        h[1][:, 0, 0] += np.einsum("ijo,ijc->oc", ha2, pool ** 2) / N
        hpool = ha2 @ w2[:, 0, 0] ** 2
        ha1 = np.zeros((4, 4, 3))
        for (i, j, c), (u, v) in at.items():
            ha1[2 * i + u, 2 * j + v, c] = hpool[i, j, c]
        hc1 = ha1 * (z > 0) * k ** 2
        for i in range(4):
            for j in range(4):
                h[0] += np.einsum("o,hwi->ohwi", hc1[i, j], pad[i:i + 3, j:j + 3] ** 2) / N
    return h


print("/* SPDX-License-Identifier: Apache-2.0 */")
print("/* Made by make_score_reference.py: see there. */")
g, a = gradients(x, label)
for i, w in enumerate((w1, w2, w3)):
    show("taylor_%d" % (i + 1), (g[i] * w) ** 2)
show("taylor_channel_2", [(g[1][o] * w2[o]).sum() ** 2 for o in range(4)])
one = [gradients(x[s:s + 1], label[s:s + 1]) for s in range(N)]
for i, w in enumerate((w1, w2, w3)):
    show("fisher_%d" % (i + 1), 0.5 * np.mean([(o[0][i] * w) ** 2 for o in one], 0))
h = curvature()
p = weights()
y, _ = forward(p, x)
loss = F.cross_entropy(y, label)
first = torch.autograd.grad(loss, p, create_graph=True)
exact = [np.array([torch.autograd.grad(f.flatten()[i], q, retain_graph=True)[0].flatten()[i].item() for i in range(q.numel())]).reshape(q.shape) for f, q in zip(first, p)]
assert np.allclose(h[2], exact[2]), "the last layer has its exact second derivatives"
for i, w in enumerate((w1, w2, w3)):
    show("obd_1990_%d" % (i + 1), 0.5 * h[i] * w ** 2)
    show("obd_%d" % (i + 1), 0.5 * exact[i] * w ** 2)
for i in (0, 1):
    v = a[i].detach()
    show("activation_%d" % (i + 1), v.abs().mean((0, 2, 3)))
    show("zeros_%d" % (i + 1), (v != 0).double().mean((0, 2, 3)))
    t = (per_channel(v * a[i].grad) * N).abs().mean(0)  # the loss is the mean over samples
    show("pull_%d" % (i + 1), t / t.norm())
    e = []
    for c in range(v.shape[1]):
        count, _ = np.histogram(per_channel(v)[:, c].numpy(), bins=3)
        q = count[count > 0] / N
        e.append(float(-(q * np.log(q)).sum()) if np.ptp(per_channel(v)[:, c].numpy()) > 0 else 0)
    show("entropy_%d" % (i + 1), e)
