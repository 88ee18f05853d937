# SPDX-License-Identifier: Apache-2.0
"""Two small networks as PyTorch users have them, trained and exported: a CNN for pictures and a GRU for sequences.

usage: torch_nets.py FOLDER          writes FOLDER/cnn and FOLDER/gru: net.onnx, x.npy, y.npy (labels), out.npy (PyTorch's own scores)
       torch_nets.py FOLDER TEXT     writes these files as text besides: torch_nets.txt, for where PyTorch is not installed
"""
import base64
import os
import sys

import numpy as np
import onnx
import torch
from torch import nn


class Cnn(nn.Module):
    """Channels first, with normalisation, pooling and a mean over all places."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(12 * 4 * 4, 3)

    def forward(self, x):
        return self.head(torch.flatten(self.body(x), 1))


class Gru(nn.Module):
    """Sequences with the batch first; what the layer knows after the last step decides."""

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(2, 10, batch_first=True)
        self.head = nn.Linear(10, 3)

    def forward(self, x):
        return self.head(self.gru(x)[0][:, -1])


def pictures(random, n):
    """Noise with a bar across, a bar down or a spot; bytes, channels last."""
    x, y = random.integers(0, 90, (n, 8, 8, 3)), np.arange(n) % 3
    for i in range(n):
        a, b = random.integers(1, 7, 2)
        if y[i] == 0:
            x[i, a] += 120
        elif y[i] == 1:
            x[i, :, b] += 120
        else:
            x[i, a - 1:a + 2, b - 1:b + 2] += 120
    return x.astype(np.uint8), y.astype(np.int64)


def waves(random, n):
    """A slow wave, a fast wave, or none; floats [n, 20, 2]."""
    y, t = np.arange(n) % 3, np.arange(20)
    turn = np.array([0.3, 1.1, 0])[y][:, None] * t + random.uniform(0, 6, (n, 1))
    x = np.stack([np.sin(turn), np.cos(turn)], 2) + random.normal(0, 0.2, (n, 20, 2))
    return x.astype(np.float32), y.astype(np.int64)


def train(net, x, y, epochs):
    update = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(epochs):
        for i in range(0, len(x), 30):
            update.zero_grad()
            nn.functional.cross_entropy(net(x[i:i + 30]), y[i:i + 30]).backward()
            update.step()
    return net.eval()


def save(folder, net, x, y, reals):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "net.onnx")
    torch.onnx.export(net, (reals[:1],), path)
    model = onnx.load(path)
    for node in model.graph.node:  # where in which file a node comes from
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        value.ClearField("metadata_props")
    model.graph.ClearField("metadata_props")
    model.ClearField("metadata_props")
    onnx.save(model, path)
    if os.path.exists(path + ".data"):
        os.remove(path + ".data")
    np.save(os.path.join(folder, "x.npy"), x)
    np.save(os.path.join(folder, "y.npy"), y)
    np.save(os.path.join(folder, "out.npy"), net(reals).detach().numpy())


def main():
    folder, random = sys.argv[1], np.random.default_rng(1)
    torch.manual_seed(1)
    torch.set_num_threads(1)
    for name, net, make, epochs in (("cnn", Cnn(), pictures, 12), ("gru", Gru(), waves, 25)):
        reals = (lambda x: torch.from_numpy(x / np.float32(255)).permute(0, 3, 1, 2)) if name == "cnn" else torch.from_numpy
        x, y = make(random, 600)
        train(net, reals(x), torch.from_numpy(y), epochs)
        x, y = make(random, 30)
        save(os.path.join(folder, name), net, x, y, reals(x))
        for file in ("net.onnx", "x.npy", "y.npy", "out.npy") if len(sys.argv) > 2 else ():
            with open(os.path.join(folder, name, file), "rb") as f, open(sys.argv[2], "a") as text:
                text.write(f"{name}/{file} {base64.b64encode(f.read()).decode()}\n")


main()
