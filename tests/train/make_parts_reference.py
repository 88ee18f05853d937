#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Steps of a small network of which some input channels alone are trained, by PyTorch with masks on the gradients, for test_parts.c: writes parts_reference.h.

Which channels: those with the largest norm of the weights that read them (Lin et al. 2022, arXiv 2206.15472, section 3.2), half of each layer, a
quarter of the last one. Of the depthwise layer they are filters.
"""
import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(11)
torch.set_default_dtype(torch.float64)
SHAPE = {"c1": (6, 3, 3, 4), "dw": (6, 3, 3, 1), "c2": (5, 1, 1, 6), "fc": (3, 8)}  # as OHWI
PART = {"c1": 0.5, "dw": 0.5, "c2": 0.5, "fc": 0.25}
w = {k: torch.tensor(rng.normal(0, 0.4, s).astype(np.float32).astype(np.float64), requires_grad=True) for k, s in SHAPE.items()}
x = rng.normal(0, 1, (2, 6, 6, 4)).astype(np.float32)
label = [2, 0]


def forward():
    t = torch.tensor(x.transpose(0, 3, 1, 2).astype(np.float64))
    t = F.relu(F.conv2d(t, w["c1"].permute(0, 3, 1, 2), padding=1))
    t = F.relu(F.conv2d(t, w["dw"].permute(0, 3, 1, 2), padding=1, groups=6))
    t = torch.cat([F.conv2d(t, w["c2"].permute(0, 3, 1, 2)), t[:, :3]], 1)  # eight channels
    return F.cross_entropy(t.mean((2, 3)) @ w["fc"].T, torch.tensor(label))


def mask(name):
    v = w[name].detach().numpy()
    axis = 0 if name == "dw" else v.ndim - 1
    norm = np.sqrt((v**2).sum(tuple(i for i in range(v.ndim) if i != axis)))
    take = sorted(np.argsort(-norm, kind="stable")[: int(len(norm) * PART[name])])
    m = np.zeros(v.shape)
    np.moveaxis(m, axis, 0)[take] = 1
    return take, torch.tensor(m)


start = {k: v.detach().clone() for k, v in w.items()}
masks = {k: mask(k) for k in w}
velocity = {k: torch.zeros_like(v) for k, v in w.items()}
for step in range(3):
    for v in w.values():
        v.grad = None
    loss = forward()
    loss.backward()
    with torch.no_grad():
        for k, v in w.items():
            velocity[k] = 0.9 * velocity[k] + v.grad * masks[k][1]
            v -= 0.1 * velocity[k]

out = ["/* SPDX-License-Identifier: Apache-2.0", " *", " * Written by make_parts_reference.py (PyTorch " + torch.__version__.split("+")[0] + "). */",
       "#ifndef TESTS_TRAIN_PARTS_REFERENCE_H", "#define TESTS_TRAIN_PARTS_REFERENCE_H", ""]


def put(kind, name, values):
    text = ", ".join(f"{v:.9g}" if kind == "float" else str(int(v)) for v in np.asarray(values).reshape(-1))
    out.append(f"static const {kind} ref_{name}[] = {{{text}}};")


put("float", "x", x)
for k in w:
    put("float", k, start[k].numpy())
    put("float", k + "_after", w[k].detach().numpy())
    put("int32_t", k + "_channels", masks[k][0])
out += ["", "#endif", ""]
open(__file__.rsplit("/", 1)[0] + "/parts_reference.h", "w").write("\n".join(out))
print("loss", loss.item(), {k: m[0] for k, m in masks.items()})
