#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes rules_reference.h: the weights of a small network after a few steps by each rule of updates, in double precision.

   python3 tests/train/make_rules_reference.py > tests/train/rules_reference.h

The rules that PyTorch has are PyTorch's; the others follow the formulas of their papers. Numbers that are learnt are learnt by automatic differentiation
through the last update, rule by rule: no derivative is written down here.
"""
import math

import torch

torch.set_default_dtype(torch.float64)
STEPS, BATCH, DIMS = 6, 3, [4, 5, 6, 3]
NAMES = ["a.w", "a.b", "b.w", "b.b", "c.w", "c.b"]


def start():
    """Weights from sines, so that the test has the same ones."""
    out = []
    for layer in range(3):
        for shape in ((DIMS[layer + 1], DIMS[layer]), (DIMS[layer + 1],)):
            k = torch.arange(math.prod(shape))
            out.append((0.5 * torch.sin(1.7 * k + len(out))).float().double().reshape(shape))
    return out


def loss(w, step):
    x = torch.sin(0.9 * torch.arange(BATCH * DIMS[0]) + step).float().double().reshape(BATCH, DIMS[0])
    label = torch.tensor([(i + step) % 3 for i in range(BATCH)])
    h = torch.tanh(x @ w[0].T + w[1])
    h = torch.tanh(h @ w[2].T + w[3])
    return torch.nn.functional.cross_entropy(h @ w[4].T + w[5], label)


# ---- rules of PyTorch ----

def by_torch(make):
    w = [v.clone().requires_grad_() for v in start()]
    matrices, vectors = [v for v in w if v.dim() > 1], [v for v in w if v.dim() == 1]
    rules = make(matrices, vectors)
    for step in range(STEPS):
        for v in w:
            v.grad = None
        loss(w, step).backward()
        for r in rules:
            r.step()
    return [v.detach() for v in w]


def optim(name, lr, decay, **more):
    """Decay spares vectors."""
    make = getattr(torch.optim, name)
    return by_torch(lambda m, v: [make(m, lr=lr, weight_decay=decay, **more), make(v, lr=lr, weight_decay=0, **more)])


def by_rates(lr, times):
    """The second layer has another rate, and biases of the others are not trained."""
    return by_torch(lambda m, v: [torch.optim.SGD([m[0], m[2]], lr=lr, momentum=0.8, weight_decay=0.01), torch.optim.SGD([m[1]], lr=lr * times, momentum=0.8, weight_decay=0.01),
                                  torch.optim.SGD([v[1]], lr=lr * times, momentum=0.8)])


# ---- rules by their formulas ----

ONES = 2 ** 32 - 1


def mix(h):
    """cop_mix32 of kernel/math.h."""
    h ^= h >> 16
    h = h * 0x7feb352d & ONES
    h ^= h >> 15
    h = h * 0x846ca68b & ONES
    return h ^ h >> 16


def draw(seed, step, name, index):
    stream = 2166136261
    for c in name.encode():
        stream = ((stream ^ c) * 16777619) & ONES
    h = mix((seed + 0x9e3779b9) & ONES)
    h = mix((h + step * 0x9e3779b1) & ONES)
    h = mix((h + stream * 0x85ebca77) & ONES)
    return mix(h ^ index * 0xc2b2ae3d & ONES)


def along(name, step, n, signs):
    if signs:
        return torch.tensor([1.0 if draw(1, step, name, i // 32) >> i % 32 & 1 else -1.0 for i in range(n)])
    pair = [(((draw(1, step, name, i // 2 * 2) >> 8) + 0.5) / 2 ** 24, (draw(1, step, name, i // 2 * 2 + 1) >> 8) / 2 ** 24) for i in range(n)]
    return torch.tensor([math.sqrt(-2 * math.log(u)) * (math.sin if i % 2 else math.cos)(2 * math.pi * v) for i, (u, v) in enumerate(pair)])


def mezo(lr, eps, decay=0, signs=False, last=()):
    w = start()
    for step in range(STEPS):
        z = [torch.zeros_like(v) if NAMES[i] in last else along(NAMES[i], step, v.numel(), signs).reshape(v.shape) for i, v in enumerate(w)]
        down = [(v - eps * d).requires_grad_() for v, d in zip(w, z)]
        below = loss(down, step)
        slope = (loss([v + eps * d for v, d in zip(w, z)], step) - below) / (2 * eps)
        back = torch.autograd.grad(below, down)
        w = [v - lr * ((back[i] if NAMES[i] in last else slope.detach() * z[i]) + (decay * v if v.dim() > 1 else 0)) for i, v in enumerate(w)]
    return [v.detach() for v in w]



def msb(v, bits):
    step = v.abs().max() / (2 ** (bits - 1) - 1)
    return torch.round(v / step) * step


def psg(lr, x_bits, dy_bits, plain, decay, rest):
    w, of = start(), 0
    for step in range(STEPS):
        x = torch.sin(0.9 * torch.arange(BATCH * DIMS[0]) + step).float().double().reshape(BATCH, DIMS[0])
        label = torch.tensor([(i + step) % 3 for i in range(BATCH)])
        read, out = [], []
        for layer in range(3):
            read.append(x)
            out.append((x @ w[2 * layer].T + w[2 * layer + 1]).requires_grad_())
            x = torch.tanh(out[-1])
        # what comes back to each layer, from the last on
        back = torch.autograd.grad(torch.nn.functional.cross_entropy(out[2], label), out[2])[0]
        for layer in (2, 1, 0):
            whole, guess = back.T @ read[layer], msb(back, dy_bits).T @ msb(read[layer], x_bits)
            sure = guess.abs() >= plain * guess.abs().max()
            before = (back @ w[2 * layer]) * (1 - read[layer] ** 2) if layer else None
            w[2 * layer + 1] = w[2 * layer + 1] - lr * rest * back.sum(0)
            w[2 * layer] = w[2 * layer] - lr * (torch.where(sure, guess.sign(), whole.sign()) + decay * w[2 * layer])
            back = before
    return [v.detach() for v in w]



def gradients(w, step):
    leaf = [v.clone().requires_grad_() for v in w]
    return torch.autograd.grad(loss(leaf, step), leaf)


def lion(lr, decay, b1=0.9, b2=0.99):
    w, m = start(), [0 * v for v in start()]
    for step in range(STEPS):
        for i, g in enumerate(gradients(w, step)):
            w[i] = w[i] - lr * (torch.sign(b1 * m[i] + (1 - b1) * g) + (decay if w[i].dim() > 1 else 0) * w[i])
            m[i] = b2 * m[i] + (1 - b2) * g
    return w


def schedule_free(rates, decay, beta, adam=False, b2=0.999, eps=1e-8):
    """Defazio et al. 2024: z and x are kept, y is between them."""
    x, z, v = start(), start(), [0 * w for w in start()]
    most, total = 0, 0
    for step, lr in enumerate(rates):
        y = [beta * a + (1 - beta) * b for a, b in zip(x, z)]
        most = max(most, lr)
        total += most ** 2
        for i, g in enumerate(gradients(y, step)):
            own = decay if x[i].dim() > 1 else 0
            if adam:
                v[i] = b2 * v[i] + (1 - b2) * g * g
                g = g / ((v[i] / (1 - b2 ** (step + 1))).sqrt() + eps)
            z[i] = z[i] - lr * (g + own * y[i])
            c = most ** 2 / total if total else 0
            x[i] = (1 - c) * x[i] + c * z[i]
    return x


def prodigy(lr, decay, d0=1e-6, b1=0.9, b2=0.999, eps=1e-8, factor=1, growth=math.inf):
    """Mishchenko and Defazio 2024, the form of Adam, everything in step k by d_k."""
    w, w0 = start(), start()
    m, v, s = [0 * a for a in w], [0 * a for a in w], [0 * a for a in w]
    d, r, b3 = d0, 0, math.sqrt(b2)
    for step in range(STEPS):
        new, over, under = [], 0, 0
        for i, g in enumerate(gradients(w, step)):
            over += (d / d0) * d * lr * (g * (w0[i] - w[i])).sum().item()
            s[i] = b3 * s[i] + (d / d0) * d * lr * g
            under += s[i].abs().sum().item()
            m[i] = b1 * m[i] + (1 - b1) * d * g
            v[i] = b2 * v[i] + (1 - b2) * d * d * g * g
            new.append(w[i] - d * lr * (m[i] / (v[i].sqrt() + d * eps) + (decay if w[i].dim() > 1 else 0) * w[i]))
        r = b3 * r + over
        d = min(max(d, factor * r / under), d * growth)
        w = new
    return w


def muon(lr, decay, rest, momentum=0.95, ends=False):
    """Jordan et al. 2024 for the matrix in the middle or for all of them, adam for the others."""
    w, m, v = start(), [0 * a for a in start()], [0 * a for a in start()]
    for step in range(STEPS):
        for i, g in enumerate(gradients(w, step)):
            own = decay if w[i].dim() > 1 else 0
            if NAMES[i] == "b.w" or (ends and w[i].dim() > 1):
                m[i] = momentum * m[i] + g
                x = g + momentum * m[i]
                x = x / (x.norm() + 1e-7)
                rows, cols = x.shape
                x = x.T if rows > cols else x
                for _ in range(5):
                    a = x @ x.T
                    x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
                x = x.T if rows > cols else x
                w[i] = w[i] - lr * (max(1, rows / cols) ** 0.5 * x + own * w[i])
            else:
                m[i] = 0.9 * m[i] + 0.1 * g
                v[i] = 0.999 * v[i] + 0.001 * g * g
                move = (m[i] / (1 - 0.9 ** (step + 1))) / ((v[i] / (1 - 0.999 ** (step + 1))).sqrt() + 1e-8)
                w[i] = w[i] - rest * lr * (move + own * w[i])
    return w


# ---- numbers of a rule that are learnt: the update is differentiated, not a formula for it ----

AS_TANH = {"b1", "b2", "keep"}


class Rule:
    def __init__(self, kind, lr, by=None, per_weight=False, learn=None, decay=0, **said):
        self.kind, self.by, self.per_weight, self.decay = kind, by, per_weight, decay
        self.said = dict(lr=lr, **said)
        names = {"sgd": ["lr", "momentum"], "adam": ["lr", "b1", "b2"], "adamw": ["lr", "b1", "b2"], "rmsprop": ["lr", "keep"], "adagrad": ["lr"]}[kind]
        self.learn = [n for n in names if self.said.get(n) and (not learn or n in learn)] if by else []
        self.raw, self.state, self.t = None, None, 0

    def to_raw(self, n):
        v = self.said[n]
        return math.atanh(2 * v - 1) if n in AS_TANH else math.sqrt(v) if n == "lr" and self.kind == "rmsprop" else v

    def value(self, n, group):
        if n not in self.learn:
            return self.said.get(n, 0)
        r = self.raw[group][n]
        return (torch.tanh(r) + 1) / 2 if n in AS_TANH else r * r if n == "lr" and self.kind == "rmsprop" else r.clamp(min=0)

    def step(self, ws, gs):
        """New weights, as functions of the numbers that are learnt; ws and gs are constants."""
        if self.state is None:
            groups = len(ws) if self.per_weight else 1
            self.state = [{"m": torch.zeros_like(w), "v": torch.zeros_like(w)} for w in ws]
            self.raw = [{n: torch.tensor([float(self.to_raw(n))]).requires_grad_() for n in self.learn} for _ in range(groups)]
        self.t += 1
        keys = [(r, n) for r in self.raw for n in self.learn]
        if keys:
            old = [r[n] for r, n in keys]
            new = self.by.step([v.detach() for v in old], [torch.zeros_like(v) if v.grad is None else v.grad.detach() for v in old])
            for (r, n), v in zip(keys, new):
                if not v.requires_grad:
                    v.requires_grad_()
                v.retain_grad()
                r[n] = v
        return [self.one(w, g, self.state[i], i if self.per_weight else 0) for i, (w, g) in enumerate(zip(ws, gs))]

    def one(self, w, g, s, group):
        get = lambda n: self.value(n, group)
        own = self.decay if w.dim() > 1 else 0
        d = g if self.kind == "adamw" else g + own * w
        if self.kind == "sgd":
            m = get("momentum") * s["m"] + d
            move = d + get("momentum") * m if self.said.get("nesterov") else m
            s["m"] = m.detach() if torch.is_tensor(m) else m
            return w - get("lr") * move
        if self.kind in ("adam", "adamw"):
            m, v = get("b1") * s["m"] + (1 - get("b1")) * d, get("b2") * s["v"] + (1 - get("b2")) * d * d
            move = (m / (1 - get("b1") ** self.t)) / ((v / (1 - get("b2") ** self.t)).clamp(min=1e-24).sqrt() + 1e-8)  # a root of 0 has no slope
            s["m"], s["v"] = m.detach(), v.detach()
            return w - get("lr") * (move + (own * w if self.kind == "adamw" else 0))
        if self.kind == "rmsprop":
            v = get("keep") * s["v"] + (1 - get("keep")) * d * d
            m = self.said.get("momentum", 0) * s["m"] + d / (v.sqrt() + 1e-8)
            s["m"], s["v"] = m.detach(), v.detach()
            return w - get("lr") * m
        s["v"] = s["v"] + d * d
        return w - get("lr") * d / (s["v"].sqrt() + 1e-10)


def learnt(rule):
    w = start()
    for step in range(STEPS):
        leaf = []
        for v in w:
            v = v if v.requires_grad else v.clone().requires_grad_()
            v.retain_grad()
            leaf.append(v)
        loss(leaf, step).backward()
        w = rule.step([v.detach() for v in leaf], [v.grad.detach() for v in leaf])
    return [v.detach() for v in w]


def sgd(lr, momentum=0, **more):
    return Rule("sgd", lr, momentum=momentum, **more)


CASES = [
    ("sgd momentum=0.8 decay=0.01", 0.1, optim("SGD", 0.1, 0.01, momentum=0.8)),
    ("sgd momentum=0.8 nesterov decay=0.01", 0.1, optim("SGD", 0.1, 0.01, momentum=0.8, nesterov=True)),
    ("adam decay=0.01", 0.02, optim("Adam", 0.02, 0.01)),
    ("adamw decay=0.01", 0.02, optim("AdamW", 0.02, 0.01)),
    ("rmsprop momentum=0.8 decay=0.01", 0.01, optim("RMSprop", 0.01, 0.01, momentum=0.8)),
    ("adagrad first=0.1 decay=0.01", 0.1, optim("Adagrad", 0.1, 0.01, initial_accumulator_value=0.1)),
    ("adagrad", 0.1, optim("Adagrad", 0.1, 0)),
    ("lion decay=0.01", 0.01, lion(0.01, 0.01)),
    ("qsgd", 0.1, optim("SGD", 0.1, 0)),  # of floats
    ("schedule-free decay=0.5", 0.5, schedule_free([0.5] * STEPS, 0.5, 0.9)),
    ("schedule-free beta=0", 0.5, schedule_free([0.5] * STEPS, 0, 0)),
    ("schedule-free-adamw decay=1 beta=0.5", 0.02, schedule_free([0.02] * STEPS, 1, 0.5, True)),
    ("prodigy first=0.001", 1, prodigy(1, 0, d0=1e-3)),
    ("prodigy first=0.001 factor=30", 1, prodigy(1, 0, d0=1e-3, factor=30)),
    ("prodigy first=0.01 decay=0.1 growth=1.5 factor=2", 1, prodigy(1, 0.1, d0=0.01, growth=1.5, factor=2)),
    ("mezo eps=0.05", 0.05, mezo(0.05, 0.05)),
    ("mezo eps=0.1 decay=0.2 draw=signs", 0.02, mezo(0.02, 0.1, 0.2, True)),
    ("mezo eps=0.05 last=c.* decay=0.1", 0.05, mezo(0.05, 0.05, 0.1, last=("c.w", "c.b"))),
    ("psg decay=0.1 rest=0.5", 0.02, psg(0.02, 4, 10, 0.05, 0.1, 0.5)),
    ("psg x=3 dy=5 plain=0.41", 0.02, psg(0.02, 3, 5, 0.41, 0, 1)),
    ("muon decay=0.01 rest=0.25", 0.05, muon(0.05, 0.01, 0.25)),
    ("muon ends", 0.05, muon(0.05, 0, 0.1, ends=True)),
    ("sgd momentum=0.8 decay=0.01 rates=b.*:4;*.b:0", 0.05, by_rates(0.05, 4)),
    ("adamw decay=0.1 rates=b.w:0.5", 0.02, by_torch(lambda m, v: [torch.optim.AdamW([m[0], m[2]], lr=0.02, weight_decay=0.1), torch.optim.AdamW([m[1]], lr=0.01, weight_decay=0.1), torch.optim.AdamW(v, lr=0.02, weight_decay=0)])),
    ("sgd momentum=0 by=(sgd momentum=0 lr=0.05)", 0.1, learnt(sgd(0.1, by=sgd(0.05)))),
    ("sgd momentum=0.8 decay=0.01 by=(sgd momentum=0 lr=0.05)", 0.1, learnt(sgd(0.1, 0.8, decay=0.01, by=sgd(0.05)))),
    ("sgd momentum=0.8 nesterov by=(sgd momentum=0.5 lr=0.05)", 0.1, learnt(sgd(0.1, 0.8, nesterov=True, by=sgd(0.05, 0.5)))),
    ("sgd momentum=0.8 by=(sgd momentum=0 lr=0.05) learn=momentum", 0.1, learnt(sgd(0.1, 0.8, learn=["momentum"], by=sgd(0.05)))),
    ("sgd momentum=0.8 per=weight by=(adam lr=0.01)", 0.1, learnt(sgd(0.1, 0.8, per_weight=True, by=Rule("adam", 0.01, b1=0.9, b2=0.999)))),
    ("sgd momentum=0 by=(sgd momentum=0 by=(sgd momentum=0 lr=0.5) lr=0.05)", 0.1, learnt(sgd(0.1, by=sgd(0.05, by=sgd(0.5))))),
    ("sgd by=(sgd lr=0.02 by=(sgd lr=0.05 by=(sgd lr=0.1 momentum=0)))", 0.05, learnt(sgd(0.05, 0.9, by=sgd(0.02, 0.9, by=sgd(0.05, 0.9, by=sgd(0.1)))))),
    ("adam decay=0.01 by=(sgd momentum=0 lr=0.005)", 0.02, learnt(Rule("adam", 0.02, b1=0.9, b2=0.999, decay=0.01, by=sgd(0.005)))),
    ("adamw b1=0.8 b2=0.99 decay=0.1 by=(sgd momentum=0 lr=0.005) per=weight", 0.02, learnt(Rule("adamw", 0.02, b1=0.8, b2=0.99, decay=0.1, per_weight=True, by=sgd(0.005)))),
    ("adam learn=lr by=(adam lr=0.01 by=(sgd momentum=0 lr=0.01))", 0.02, learnt(Rule("adam", 0.02, b1=0.9, b2=0.999, learn=["lr"], by=Rule("adam", 0.01, b1=0.9, b2=0.999, by=sgd(0.01))))),
    ("rmsprop momentum=0.8 decay=0.01 by=(sgd momentum=0 lr=0.002)", 0.01, learnt(Rule("rmsprop", 0.01, keep=0.99, momentum=0.8, decay=0.01, by=sgd(0.002)))),
    ("adagrad decay=0.01 by=(sgd momentum=0 lr=0.002)", 0.1, learnt(Rule("adagrad", 0.1, decay=0.01, by=sgd(0.002)))),
]

if __name__ == "__main__":
    print("/* SPDX-License-Identifier: Apache-2.0\n *\n * Made by make_rules_reference.py. */")
    print(f"enum {{ RULES_STEPS = {STEPS}, RULES_NUMBERS = {sum(v.numel() for v in start())} }};")
    print("static const struct { const char *spec; float lr, w[RULES_NUMBERS]; } rules[] = {")
    for spec, lr, w in CASES:
        numbers = ", ".join(f"{v:.8g}f" if "." in f"{v:.8g}" or "e" in f"{v:.8g}" else f"{v:.8g}.0f" for v in torch.cat([v.flatten() for v in w]).tolist())
        print(f'\t{{"{spec}", {lr}f, {{{numbers}}}}},' if "." in str(lr) else f'\t{{"{spec}", {lr}, {{{numbers}}}}},')
    print("};")
