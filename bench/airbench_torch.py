#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The network `airbench` in PyTorch: is a step as fast there, and is as much learnt?

`--steps` measures training steps of both sides, which take turns, on one thread each: `taskset -c 1 bench/airbench_torch.py --steps`. Without it both
sides train with the same settings, and the accuracy on the test part is compared. The samples are those of `coppice data export`, whitening is
computed here. cifar10-jpeg is a lossy copy of CIFAR-10. `--bf16`: both multiply bfloat16, PyTorch by autocast (steps here: those of `bench_nets`, which
train the whitening, too). The whole recipe: `--width 1 --epochs 10 --limit 50000 --batch 1024`.

usage: airbench_torch.py --coppice build/coppice [--width 0.25] [--steps] [--epochs 4] [--limit 5000] [--seeds 1 2 3] [--sides here torch] [--bf16]
"""
import argparse, json, os, subprocess, tempfile, time
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

UPDATE = "sgd momentum=0.85 nesterov=1 decay=0.00133 rates=*.bn.beta:64;*.bn.gamma:0"


class Norm(nn.BatchNorm2d):
    """Without a scale; running statistics move by 0.4."""
    def __init__(self, n):
        super().__init__(n, eps=1e-12, momentum=0.4)
        self.weight.requires_grad_(False)


class Group(nn.Module):
    def __init__(self, into, out):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(c, out, 3, padding=1, bias=False) for c in (into, out))
        self.norm1, self.norm2 = Norm(out), Norm(out)
        for conv in (self.conv1, self.conv2):
            nn.init.dirac_(conv.weight.data[:conv.weight.shape[1]])

    def forward(self, x):
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.norm2(self.conv2(x)))


class Airbench(nn.Module):
    def __init__(self, width, mean=0, std=1):
        super().__init__()
        self.mean, self.std = mean, std
        w = [max(round(width * n), 1) for n in (64, 256, 256)]
        self.whiten = nn.Conv2d(3, 24, 2)
        nn.init.zeros_(self.whiten.bias)
        self.whiten.weight.requires_grad_(False)
        self.groups = nn.Sequential(Group(24, w[0]), Group(w[0], w[1]), Group(w[1], w[2]))
        self.fc = nn.Linear(w[2], 10, bias=False)

    def forward(self, x):
        x = self.groups(F.gelu(self.whiten((x - self.mean) / self.std)))
        return self.fc(F.max_pool2d(x, 3).flatten(1)) / 9

    def whiten_by(self, x, eps=5e-4):
        """Eigenvectors of the mean of p p' over all 2x2 patches, each over the root of its eigenvalue, and their negatives."""
        p = F.unfold((x[:5000] - self.mean) / self.std, 2).transpose(1, 2).reshape(-1, 12).double()
        values, vectors = torch.linalg.eigh(p.T @ p / len(p))
        w = (vectors / torch.sqrt(values + eps)).T.flip(0).reshape(12, 3, 2, 2).float()
        self.whiten.weight.data.copy_(torch.cat([w, -w]))


def optimizer(net, lr):
    betas = [m.bias for m in net.modules() if isinstance(m, Norm)]
    rest = [p for p in net.parameters() if p.requires_grad and not any(p is b for b in betas)]
    flat, deep = [p for p in rest if p.dim() < 2], [p for p in rest if p.dim() > 1]
    opt = torch.optim.SGD([{"params": deep, "weight_decay": 0.00133}, {"params": flat}, {"params": betas}], lr, 0.85, nesterov=True)
    for g, times in zip(opt.param_groups, (1, 1, 64)):
        g["times"] = times
    return opt


# ---- steps a second ----

def rounded(args):
    return torch.autocast("cpu", torch.bfloat16, enabled=args.bf16)


def steps_here(args):
    if args.bf16:
        run = [os.path.join(os.path.dirname(args.coppice), "bench_nets"), args.net, str(args.batch), str(args.threads), "bf16", str(args.seconds)]
        return json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)["images_per_second"]
    out = subprocess.run([args.coppice, "bench", args.net, "--train", "--batch", str(args.batch), "--threads", str(args.threads), "--seconds", str(args.seconds), "--update", UPDATE + ";whiten.w:0", "--json"],
                         check=True, capture_output=True, text=True).stdout
    return args.batch * 1e3 / json.loads(out)["milliseconds_least"]


def steps_torch(args, last=False):
    torch.manual_seed(1)
    net = Airbench(args.width)
    if last:
        net = net.to(memory_format=torch.channels_last)
    opt, x, y = optimizer(net, 0.1), torch.randn(args.batch, 3, 32, 32), torch.randint(0, 10, (args.batch,))
    x = x.contiguous(memory_format=torch.channels_last) if last else x
    times = []
    while sum(times) < args.seconds:
        t = time.perf_counter()
        with rounded(args):
            loss = F.cross_entropy(net(x), y, label_smoothing=0.2)
        opt.zero_grad()
        loss.backward()
        opt.step()
        times.append(time.perf_counter() - t)
    return args.batch / min(times)


def compare_steps(args):
    turns = {"here": [], "torch": [], "torch, channels last": []}
    for _ in range(args.turns):
        turns["here"].append(steps_here(args))
        turns["torch"].append(steps_torch(args))
        turns["torch, channels last"].append(steps_torch(args, True))
    print(f"{args.net}, batches of {args.batch}, {args.threads} threads: samples trained on a second, by the fastest step of each turn (--bf16 here: by the median step); the median of {args.turns} turns")
    for side, v in turns.items():
        print(f"  {side:22} {np.median(v):8.0f}   ({min(v):.0f} to {max(v):.0f})")


# ---- accuracy ----

def rate_at(t):
    return 0.2 + 0.8 * t / 0.23 if t < 0.23 else 0.07 + 0.93 * (1 - t) / 0.77


def moved(x, rng, mirrored, pad=2):
    n, _, h, w = x.shape
    big = F.pad(torch.where(mirrored[:, None, None, None], x.flip(3), x), (pad,) * 4, mode="reflect")
    dy, dx = (torch.from_numpy(rng.integers(0, 2 * pad + 1, n)) for _ in range(2))
    rows, cols = dy[:, None] + torch.arange(h), dx[:, None] + torch.arange(w)
    return big[torch.arange(n)[:, None, None, None], torch.arange(3)[None, :, None, None], rows[:, None, :, None], cols[:, None, None, :]]


def train(args, seed, x, y, xt, yt):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = Airbench(args.width, x.mean((0, 2, 3), keepdim=True), x.std((0, 2, 3), keepdim=True))
    net.whiten_by(x)
    net = net.to(memory_format=torch.channels_last)
    opt, turn = optimizer(net, args.lr), torch.from_numpy(rng.integers(0, 2, len(x)).astype(bool))
    slow = {k: v.clone() for k, v in net.state_dict().items()}
    steps, done = -(-len(x) // args.batch), 0
    for epoch in range(args.epochs):
        net.train()
        net.whiten.bias.requires_grad_(epoch < 3)
        order = torch.from_numpy(rng.permutation(len(x)))
        for i in range(steps):
            for g in opt.param_groups:
                g["lr"] = args.lr * g["times"] * rate_at(done / (steps * args.epochs))
            pick = torch.from_numpy(np.resize(order[i * args.batch:(i + 1) * args.batch].numpy(), args.batch))
            with rounded(args):
                loss = F.cross_entropy(net(moved(x[pick], rng, turn[pick] ^ bool(epoch & 1)).contiguous(memory_format=torch.channels_last)), y[pick], label_smoothing=0.2)
            opt.zero_grad()
            loss.backward()
            opt.step()
            done += 1
            if done % 5 == 0 or done == steps * args.epochs:
                part = 1 - 0.774 * (done / (steps * args.epochs)) ** 3 if done < steps * args.epochs else 0
                for k, v in net.state_dict().items():
                    if v.is_floating_point():
                        slow[k].lerp_(v, part)
                        v.copy_(slow[k])
    net.eval()
    with torch.no_grad():
        return np.mean([(net(xt[i:i + 500]).argmax(1) == yt[i:i + 500]).float().mean().item() for i in range(0, len(xt), 500)])


def export(args, folder, part):
    x, y = f"{folder}/{part}.x.npy", f"{folder}/{part}.y.npy"
    subprocess.run([args.coppice, "data", "export", "cifar10-jpeg", "--split", part, "--limit", str(args.limit), "-o", x, "--labels", y, "--quiet"], check=True)
    return torch.from_numpy(np.load(x)).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(np.load(y).astype(np.int64))


def here(args, seed):
    with tempfile.TemporaryDirectory() as d:
        common = ["--data", "cifar10-jpeg", "--limit", str(args.limit), "--threads", str(args.threads)]
        subprocess.run([args.coppice, "train", args.net, "--epochs", str(args.epochs), "--batch", str(args.batch), f"--lr={args.lr}", f"--seed={seed}", "--valid", "no", "--quiet", "-o", d + "/n.cop"] + common + ["--bf16"] * args.bf16, check=True)
        out = subprocess.run([args.coppice, "eval", d + "/n.cop", "--json"] + common, check=True, capture_output=True, text=True)
        return json.loads(out.stdout)["accuracy"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--coppice", default="build/coppice")
    p.add_argument("--width", type=float, default=0.25)
    p.add_argument("--steps", action="store_true")
    p.add_argument("--turns", type=int, default=5)
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--epochs", type=int, default=4)
    p.add_argument("--limit", type=int, default=5000)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--bf16", action="store_true")
    p.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    p.add_argument("--sides", nargs="+", default=["here", "torch"], choices=["here", "torch"])
    args = p.parse_args()
    args.net = "airbench" if args.width == 1 else f"airbench-{args.width}"
    args.lr = 1.5 * args.batch / 1024
    torch.set_num_threads(args.threads)
    if args.steps:
        return compare_steps(args)
    with tempfile.TemporaryDirectory() as d:
        samples = export(args, d, "train") + export(args, d, "test")
    for side in args.sides:
        began = time.process_time() + sum(os.times()[2:4])
        v = [100 * (here(args, s) if side == "here" else train(args, s, *samples)) for s in args.seeds]
        minutes = (time.process_time() + sum(os.times()[2:4]) - began) / 60 / len(v)
        print(f"{args.net}, {args.limit} samples of cifar10-jpeg, {args.epochs} epochs: {side:5} {np.mean(v):.2f} %  ({min(v):.2f} to {max(v):.2f}), {minutes:.1f} minutes of CPU time a seed", flush=True)


if __name__ == "__main__":
    main()
