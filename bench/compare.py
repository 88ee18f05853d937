#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Images a second beside PyTorch, training and inference, in one run.

    python3 bench/compare.py [--build build] [--seconds 2] [--rounds 5] [--json FILE]

Both programs do the same work (forward, cross-entropy, backward, SGD with momentum; same shapes, same threads, random data) and
take turns, so that what else the machine does falls on both. Printed: medians over the rounds, their spread, and the
ratio of each pair of turns (median, lowest, highest). PyTorch gets its better memory format. Skipped, with a word, when
PyTorch is not there: it is a peer, not a dependency. bf16: both multiply bfloat16, PyTorch in the faster one of its two ways,
autocast and float32 with bfloat16 inside of convolutions; for processors with AMX.
"""
import argparse
import contextlib
import json
import math
import statistics
import subprocess
import sys
import time

try:
    import torch
    import torch.nn as nn
    import torch.nn.functional as F
except ImportError:
    sys.exit("compare: PyTorch is not installed here; nothing to compare with")

JOBS = [("lenet-300-100", 64), ("lenet-5", 64), ("resnet-8", 32), ("resnet-8", 128), ("resnet-20", 128),
        ("mobilenet-v2-0.35@128", 8), ("mobilenet-v2-0.35@128", 1)]
INFER = ["lenet-300-100", "lenet-5", "resnet-8", "resnet-20", "mobilenet-v2-0.35@128"]


class Residual(nn.Module):
    def __init__(self, c, o, stride, project):
        super().__init__()
        self.a, self.b = nn.Conv2d(c, o, 3, stride, 1, bias=False), nn.Conv2d(o, o, 3, 1, 1, bias=False)
        self.na, self.nb = nn.BatchNorm2d(o), nn.BatchNorm2d(o)
        self.s = nn.Sequential(nn.Conv2d(c, o, 1, stride, bias=False), nn.BatchNorm2d(o)) if project else nn.Identity()

    def forward(self, x):
        return F.relu(self.nb(self.b(F.relu(self.na(self.a(x))))) + self.s(x))


def resnet(blocks):
    layers, c = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for i, o in enumerate((16, 32, 64)):
        for b in range(blocks):
            layers.append(Residual(c, o, 2 if i and not b else 1, o != c))
            c = o
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def divisible(v):
    n = max(8, int(v + 4) // 8 * 8)
    return n + 8 if n < 0.9 * v else n


class Inverted(nn.Module):
    def __init__(self, c, o, stride, t):
        super().__init__()
        h, body = c * t, []
        if t != 1:
            body += [nn.Conv2d(c, h, 1, bias=False), nn.BatchNorm2d(h), nn.ReLU6()]
        body += [nn.Conv2d(h, h, 3, stride, 1, groups=h, bias=False), nn.BatchNorm2d(h), nn.ReLU6(), nn.Conv2d(h, o, 1, bias=False), nn.BatchNorm2d(o)]
        self.body, self.add = nn.Sequential(*body), stride == 1 and c == o

    def forward(self, x):
        return x + self.body(x) if self.add else self.body(x)


def mobilenet_v2(width, classes=1000):
    c = divisible(32 * width)
    layers = [nn.Conv2d(3, c, 3, 2, 1, bias=False), nn.BatchNorm2d(c), nn.ReLU6()]
    for t, o, n, s in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        o = divisible(o * width)
        for i in range(n):
            layers.append(Inverted(c, o, s if i == 0 else 1, t))
            c = o
    return nn.Sequential(*layers, nn.Conv2d(c, 1280, 1, bias=False), nn.BatchNorm2d(1280), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, classes))


def network(name):
    if name == "lenet-300-100":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 300), nn.ReLU(), nn.Linear(300, 100), nn.ReLU(), nn.Linear(100, 10)), (1, 28, 28)
    if name == "lenet-5":
        return nn.Sequential(nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(800, 500), nn.ReLU(),
                             nn.Linear(500, 10)), (1, 28, 28)
    if name.startswith("resnet"):
        return resnet(1 if name == "resnet-8" else 3), (3, 32, 32)
    return mobilenet_v2(0.35), (3, 128, 128)


def fold(net):
    """Each batch norm becomes the bias of the convolution before it, as in a network that is deployed."""
    before = None
    for m in net.children():
        if isinstance(m, nn.Sequential) or isinstance(m, Inverted):
            fold(m)
        elif isinstance(m, nn.BatchNorm2d):
            before.bias = nn.Parameter(torch.zeros(m.num_features))
        before = m
    for name, m in net.named_children():
        if isinstance(m, nn.BatchNorm2d):
            setattr(net, name, nn.Identity())


def freeze(net):
    """What bench_nets.c trains as `sparse` learns: the last layer, biases of the last eight blocks, weights of the first layer in the last six."""
    for p in net.parameters():
        p.requires_grad_(False)
    blocks = [m for m in net if isinstance(m, Inverted)]
    last = [m for m in net if isinstance(m, (nn.Conv2d, nn.Linear))][-2:]
    for m in [c for b in blocks[-8:] for c in b.body if isinstance(c, nn.Conv2d)] + last:
        m.bias.requires_grad_(True)
    for w in [b.body[0].weight for b in blocks[-6:]] + [last[1].weight]:
        w.requires_grad_(True)


class Peer:
    """One network in one memory format, ready to run a step. rounded: of a job bf16, which of the two ways."""

    def __init__(self, name, batch, job, channels_last, rounded=""):
        train = job != "infer"
        self.rounded = rounded
        self.net, shape = network(name) if job != "sparse" else (mobilenet_v2(0.35, 10), (3, 128, 128))
        if job == "sparse":
            fold(self.net)
            freeze(self.net)
        form = torch.channels_last if channels_last else torch.contiguous_format
        self.net = self.net.to(memory_format=form).train(train)
        self.x = torch.rand(batch, *shape).to(memory_format=form)
        self.y = torch.arange(batch) % 10
        self.train, self.batch = train, batch
        self.opt = torch.optim.SGD([p for p in self.net.parameters() if p.requires_grad], lr=1e-4, momentum=0.9)

    def step(self):
        if not self.train:
            with torch.inference_mode():
                self.net(self.x)
            return
        self.opt.zero_grad()
        with torch.autocast("cpu", torch.bfloat16) if self.rounded == "autocast" else contextlib.nullcontext():
            loss = F.cross_entropy(self.net(self.x), self.y)
        loss.backward()
        self.opt.step()

    def rate(self, seconds):
        torch.backends.mkldnn.conv.fp32_precision = torch.backends.mkldnn.matmul.fp32_precision = "bf16" if self.rounded == "inside" else "ieee"
        self.step()
        begin, n, t0 = time.perf_counter(), 0, time.perf_counter()
        rates = []
        while time.perf_counter() - begin < seconds or len(rates) < 3:
            self.step()
            n += 1
            if time.perf_counter() - t0 > 0.05:
                rates.append(n * self.batch / (time.perf_counter() - t0))
                n, t0 = 0, time.perf_counter()
        return statistics.median(rates)


def ours(build, name, batch, threads, job, seconds):
    out = subprocess.run([f"{build}/bench_nets", name, str(batch), str(threads), job, str(seconds)], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)["images_per_second"]


def compare(args, name, batch, threads, job):
    torch.set_num_threads(threads)
    peers = [Peer(name, batch, job, last, way) for last in ((False,) if "300" in name else (False, True)) for way in (("autocast", "inside") if job == "bf16" else ("",))]
    best = max(peers, key=lambda p: p.rate(0.5))
    a, b = [], []
    for _ in range(args.rounds):
        a.append(ours(args.build, name, batch, threads, job, args.seconds))
        b.append(best.rate(args.seconds))
    ratio = [x / y for x, y in zip(a, b)]
    row = {"net": name, "batch": batch, "threads": threads, "job": job, "ours": statistics.median(a), "torch": statistics.median(b),
           "ratio": statistics.median(ratio), "ratio_low": min(ratio), "ratio_high": max(ratio)}
    print(f"{job:6} {name:24} batch {batch:4} threads {threads}  ours {row['ours']:10.0f}/s  PyTorch {row['torch']:10.0f}/s  "
          f"ratio {row['ratio']:.2f} ({row['ratio_low']:.2f} to {row['ratio_high']:.2f})", flush=True)
    return row


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default="build")
    p.add_argument("--seconds", type=float, default=2)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--only", default="")
    p.add_argument("--json")
    args = p.parse_args()
    print(f"PyTorch {torch.__version__}")
    rows = [compare(args, n, b, 2, "train") for n, b in JOBS if args.only in f"train {n}"]
    rows += [compare(args, "mobilenet-v2-0.35@128", 1, 1, job) for job in ("train", "sparse") if args.only in f"{job} mobilenet-v2-0.35@128 alone"]
    rows += [compare(args, n, b, 2, "bf16") for n, b in JOBS if args.only and args.only in f"bf16 {n}"]
    rows += [compare(args, n, 1, 1, "infer") for n in INFER if args.only in f"infer {n}"]
    for job in ("train", "bf16", "infer"):
        r = [x["ratio"] for x in rows if x["job"] == job and (job != "train" or x["threads"] == 2)]
        if r:
            print(f"{job}: geometric mean {math.exp(sum(map(math.log, r)) / len(r)):.2f}, lowest {min(r):.2f}")
    if args.json:
        json.dump(rows, open(args.json, "w"), indent=1)


main()
