#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ResNet-8 trained by `coppice train` and by PyTorch with the same settings: is as much learnt, and which initialisation is better?

Sides: `here` is Coppice; `ours` is PyTorch, beginning with the weights that Coppice draws; `torch` is PyTorch with its own; `he` is PyTorch with
uniform weights of variance 2 / fan in everywhere (He 2015), which Coppice draws in front of a ReLU without batch norm. The samples are
those of `coppice data export`; PyTorch's augmentation (crop with padding, mirror) is drawn here; the schedule goes by step, as in Coppice.

usage: train_torch.py --coppice build/coppice [--epochs 10] [--seeds 1 2 3 4 5] [--sides here ours torch he] [--results FILE]
With --results it can be stopped and goes on: what is in the file is not done again. cifar10-jpeg is a lossy copy of CIFAR-10.
"""
import argparse, json, math, os, struct, subprocess, sys, tempfile
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def same(x, k, s):
    """TensorFlow's SAME: the odd one behind."""
    n = x.shape[-1]
    total = max((-(-n // s) - 1) * s + k - n, 0)
    return F.pad(x, (total // 2, total - total // 2) * 2)


class Conv(nn.Conv2d):
    def forward(self, x):
        return F.conv2d(same(x, self.kernel_size[0], self.stride[0]), self.weight, self.bias, self.stride)


class Block(nn.Module):
    def __init__(self, cin, out, stride):
        super().__init__()
        self.conv1, self.bn1 = Conv(cin, out, 3, stride, bias=False), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = Conv(out, out, 3, bias=False), nn.BatchNorm2d(out)
        self.shortcut = Conv(cin, out, 1, stride) if stride != 1 or cin != out else None

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.shortcut(x) if self.shortcut else x))


class Resnet8(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.mean, self.std = mean, std
        self.conv1, self.bn1 = Conv(3, 16, 3, bias=False), nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1((x - self.mean) / self.std)))
        return self.fc(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))


def read_safetensors(path):
    raw = open(path, "rb").read()
    n = struct.unpack("<Q", raw[:8])[0]
    head = json.loads(raw[8:8 + n])
    return {k: np.frombuffer(raw[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]], np.float32).reshape(v["shape"])
            for k, v in head.items() if k != "__metadata__"}


def load(net, tensors):
    """Names of ours: conv1.w, conv1.bn.gamma, layer1.0.conv1.w, layer2.0.shortcut.b, fc.w ..."""
    found = 0
    for name, p in net.named_parameters():
        part = name.split(".")
        block = part[0] + ".0." if part[0].startswith("layer") else ""
        layer, what = part[-2], part[-1]
        key = block + layer.replace("bn", "conv") + (".bn.gamma" if what == "weight" else ".bn.beta") if layer.startswith("bn") \
            else block + layer + (".w" if what == "weight" else ".b")
        w = torch.from_numpy(tensors[key].copy())
        p.data.copy_(w.permute(0, 3, 1, 2) if w.dim() == 4 else w)
        found += 1
    return found


def export(args, folder, part, limit):
    x, y = f"{folder}/{part}.x.npy", f"{folder}/{part}.y.npy"
    if not os.path.exists(y):
        subprocess.run([args.coppice, "data", "export", args.data, "--split", part, "--limit", str(limit or 1 << 24), "-o", x, "--labels", y, "--quiet"], check=True)
    x, y = np.load(x), np.load(y)
    return torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(y.astype(np.int64))


def augment(x, rng, pad):
    n, c, h, w = x.shape
    big = F.pad(x, (pad,) * 4)
    dy, dx, flip = (torch.from_numpy(rng.integers(0, hi, n)) for hi in (2 * pad + 1, 2 * pad + 1, 2))
    rows = (dy[:, None] + torch.arange(h))[:, None, :, None]
    cols = torch.arange(w)[None, :].repeat(n, 1)
    cols = torch.where(flip[:, None] == 1, w - 1 - cols, cols) + dx[:, None]
    return big[torch.arange(n)[:, None, None, None], torch.arange(c)[None, :, None, None], rows, cols[:, None, None, :]]


def train(args, seed, x, y, xt, yt):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    mean, std = x.mean((0, 2, 3), keepdim=True), x.std((0, 2, 3), keepdim=True)
    if args.no_normalise:
        mean, std = 0 * mean, 0 * std + 1
    net = Resnet8(mean, std).to(memory_format=torch.channels_last)
    if args.init == "he":
        for m in net.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_uniform_(m.weight, nonlinearity="relu")
                if m.bias is not None:
                    nn.init.zeros_(m.bias)
    if args.init == "ours":
        with tempfile.TemporaryDirectory() as d:
            subprocess.run([args.coppice, "export", "resnet-8", f"--seed={seed}", "-o", d + "/w.safetensors", "--quiet"], check=True)
            load(net, read_safetensors(d + "/w.safetensors"))
    decayed = [p for p in net.parameters() if p.dim() > 1]
    plain = [p for p in net.parameters() if p.dim() <= 1]
    opt = torch.optim.SGD([{"params": decayed, "weight_decay": args.decay}, {"params": plain, "weight_decay": 0}], args.lr, 0.9, nesterov=True)
    steps = -(-len(x) // args.batch)
    for epoch in range(args.epochs):
        net.train()
        order, total = torch.from_numpy(rng.permutation(len(x))), 0.0
        for i in range(steps):
            at = epoch + i / steps
            rate = args.lr * min(1, at / args.warmup if args.warmup else 1) * 0.5 * (1 + math.cos(math.pi * at / args.epochs))
            for g in opt.param_groups:
                g["lr"] = rate
            pick = order[i * args.batch:(i + 1) * args.batch]
            b = x[pick] if args.pad < 0 else augment(x[pick], rng, args.pad)
            loss = F.cross_entropy(net(b.contiguous(memory_format=torch.channels_last)), y[pick])
            opt.zero_grad()
            loss.backward()
            opt.step()
            total += loss.item()
        if args.verbose:
            print(f"  epoch {epoch + 1}: loss {total / steps:.4f}", flush=True)
    net.eval()
    with torch.no_grad():
        right = sum((net(xt[i:i + 500]).argmax(1) == yt[i:i + 500]).sum().item() for i in range(0, len(xt), 500))
    return right / len(xt)


def here(args, seed):
    """Coppice with the same settings."""
    with tempfile.TemporaryDirectory() as d:
        augment = ([f"flip,crop={args.pad}"] if args.pad >= 0 else []) + ([] if args.no_normalise else ["normalise"])
        subprocess.run([args.coppice, "train", "resnet-8", "--data", args.data, f"--seed={seed}", "--epochs", str(args.epochs), "--batch", str(args.batch), "--lr", str(args.lr),
                        "--update", f"sgd momentum=0.9 nesterov=1 decay={args.decay}", "--schedule", f"cosine:warmup={args.warmup}", "--augment", ",".join(augment) or "none",
                        "--limit", str(args.limit), "-o", d + "/net.cop", "--quiet"] + ([f"--threads={args.threads}"] if args.threads else []), check=True)
        out = subprocess.run([args.coppice, "eval", d + "/net.cop", "--data", args.data, "--limit", str(args.limit), "--json"], check=True, capture_output=True, text=True)
        return json.loads(out.stdout)["accuracy"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--coppice", default="build/coppice")
    p.add_argument("--data", default="cifar10-jpeg")
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--lr", type=float, default=0.1)
    p.add_argument("--decay", type=float, default=5e-4)
    p.add_argument("--warmup", type=float, default=1)
    p.add_argument("--pad", type=int, default=4, help="-1: no augmentation")
    p.add_argument("--limit", type=int, default=0)
    p.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    p.add_argument("--sides", nargs="+", default=["here", "ours", "torch"], choices=["here", "ours", "torch", "he"])
    p.add_argument("--no-normalise", action="store_true")
    p.add_argument("--cache", default="", help="a folder that keeps the exported samples")
    p.add_argument("--results", default="", help="a file of what is done, one line of JSON each")
    p.add_argument("--threads", type=int, default=0)
    p.add_argument("--verbose", action="store_true")
    args = p.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    settings = f"{args.data} {args.epochs} {args.batch} {args.lr} {args.decay} {args.warmup} {args.pad} {args.limit} {args.no_normalise}"
    done = {}
    if args.results and os.path.exists(args.results):
        for line in open(args.results):
            r = json.loads(line)
            done[r["settings"], r["side"], r["seed"]] = r["accuracy"]
    samples = None
    for seed in args.seeds:
        for side in args.sides:
            if (settings, side, seed) in done:
                continue
            if side != "here" and samples is None:
                with tempfile.TemporaryDirectory() as d:
                    folder = args.cache or d
                    os.makedirs(folder, exist_ok=True)
                    samples = export(args, folder, "train", args.limit) + export(args, folder, "test", args.limit)
            args.init = side
            right = here(args, seed) if side == "here" else train(args, seed, *samples)
            done[settings, side, seed] = right
            print(f"{side}, seed {seed}: {100 * right:.2f} % of the test part", flush=True)
            if args.results:
                with open(args.results, "a") as f:
                    f.write(json.dumps({"settings": settings, "side": side, "seed": seed, "accuracy": right}) + "\n")
    print(f"resnet-8 on {args.data}, {args.epochs} epochs, test accuracy")
    for side in args.sides:
        v = [100 * done[settings, side, seed] for seed in args.seeds]
        print(f"  {side:5}  mean {np.mean(v):.2f} %  deviation {np.std(v, ddof=1) if len(v) > 1 else 0:.2f}  ({len(v)} seeds)")


main()
