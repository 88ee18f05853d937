#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# How many instructions each kernel takes on an emulated Cortex-M4: the table src/plan/price.def. Small networks with random weights are emitted and run in the
# emulator, which counts every instruction; then each kernel's price is fitted to them: a part for each step, for each number of its result, for each number and each
# row of windows that is read for one channel of it, and for each multiply-accumulate, none below zero, by least squares of the relative error. Needs numpy, arm-none-eabi-gcc and qemu-system-arm.
#   bench/prices.py build/coppice FOLDER [NET...] >src/plan/price.def     FOLDER keeps what was counted; NET: networks to compare with, whole
import json, os, random, subprocess, sys
import numpy as np

PARTS = 5 # of a price
bin, folder, nets = sys.argv[1], sys.argv[2], sys.argv[3:]
os.makedirs(folder, exist_ok=True)


def coppice(*args):
    return subprocess.run([bin, *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def chain(r, usual):
    """A network of some layers, as text; usual: of sizes as networks have them."""
    size, channels = r.choice([5, 7, 8, 10, 12, 16] if usual else [5, 6, 8, 9, 12, 16]), r.choice([1, 3, 8, 16, 24, 32] if usual else [1, 2, 3, 4, 7, 8, 16])
    lines, wide = [f"input {size} {size} {channels}"], channels
    for i in range(r.randint(1, 3)):
        kind = r.choice(["conv3", "conv3", "conv1", "conv1", "conv5", "tall", "depth", "depth", "add", "pool", "fc"])
        n = r.choice([8, 12, 16, 24, 32, 48, 64] if usual else [2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32, 40])
        act = r.choice([" relu", " relu", ""])
        step = " stride 2" if r.random() < 0.3 and size > 4 else ""
        if kind == "tall":
            lines.append(f"conv {n} 10x4{step}{act}")
            size, wide = (size + 1) // 2 if step else size, n
        elif kind in ("conv3", "conv5", "conv1"):
            lines.append(f"conv {n} {kind[4]}x{kind[4]}{step}{act}")
            size, wide = (size + 1) // 2 if step else size, n
        elif kind == "depth":
            lines.append(f"depthwise 3x3{step}{act}")
            size = (size + 1) // 2 if step else size
        elif kind == "add":
            lines += [f"a{i} = conv {n} 1x1{act}", f"conv {n} 3x3", f"add a{i}"]
            wide = n
        elif kind == "pool" and size > 3:
            lines.append(r.choice(["maxpool 2", "avgpool 2"]))
            size //= 2
    lines += r.choice([["mean"], ["flatten"], []])
    lines.append(f"fc {r.choice([2, 5, 10, 12, 30])}")
    if r.random() < 0.3:
        lines.append(f"fc {r.choice([10, 64])} relu")
    return "\n".join(lines) + "\n"


def layers(r):
    """Fully connected layers."""
    return "\n".join([f"input {r.randint(8, 900)}", *(f"fc {r.randint(2, 200)}" for _ in range(r.randint(1, 3)))]) + "\n"


def count(net, name):
    """Its steps and its instructions: [kernel, outputs, inputs, macs]..., n; remembered."""
    kept = f"{folder}/{name}.json"
    if os.path.exists(kept):
        return json.load(open(kept))
    out = f"{folder}/{name}.c"
    coppice("emit", net, "--target", "cortex-m4", "-o", out)
    said = coppice("check", out, "--json")
    steps = json.loads(coppice("inspect", f"{out}/check/model.cop", "--target", "cortex-m4", "--plan", "--json").stdout or "{}")
    subprocess.run(["rm", "-rf", out])
    if said.returncode or "steps" not in steps:
        print(f"{name}: left out: {said.stdout[:200]}", file=sys.stderr)
        found = None
    else:
        found = [[[s["kernel"], s["outputs"], s["macs"] / s["channels"] if s["macs"] else s["inputs"], s["rows"], s["macs"]] for s in steps["steps"]], json.loads(said.stdout)["instructions"]]
    json.dump(found, open(kept, "w"))
    return found


def made(i, kind):
    """kind: f floats, i integers, r integers of usual sizes, w layers with weights of 4 bits"""
    integers = kind != "f"
    net = f"{folder}/{kind}{i}"
    if not os.path.exists(net + ".json"):
        r = random.Random(f"{kind}{i}")
        open(net + ".txt", "w").write(layers(r) if kind == "w" else chain(r, kind == "r"))
        coppice("apply", net + ".txt", "to_infer", "-o", net + ".cop")
        if integers:
            t = json.loads(coppice("inspect", net + ".txt", "--json", "--plan").stdout)
            shape = [int(v) for v in open(net + ".txt").readline().split()[1:]]
            np.save(net + ".npy", np.random.default_rng(i).standard_normal((8, *shape)).astype("f4"))
            coppice("quantize", net + ".cop", "--data", net + ".npy", "--split", "all", "--int8-io", "--round", "nearest", "--scheme", "w4a8" if kind == "w" else "w8a8", "-o", net + ".cop")
    return count(net + ".cop", os.path.basename(net))


def features(s):
    return [1, *s[1:]]


def fit(runs):
    kernels = sorted({s[0] for steps, _ in runs for s in steps})
    at = {k: i for i, k in enumerate(kernels)}
    a = np.zeros((len(runs), PARTS * len(kernels) + 1))
    y = np.array([n for _, n in runs], float)
    for i, (steps, _) in enumerate(runs):
        a[i, -1] = 1
        for s in steps:
            a[i, PARTS * at[s[0]]:PARTS * at[s[0]] + PARTS] += features(s)
    w = a / y[:, None]
    scale = np.maximum(np.abs(w).max(0), 1e-12)
    x = nonnegative(w / scale, np.ones(len(y))) / scale
    return kernels, x, a @ x / y


def nonnegative(a, b):
    """Least squares with no coefficient below zero (Lawson and Hanson 1974)."""
    n = a.shape[1]
    x, free = np.zeros(n), np.zeros(n, bool)
    for _ in range(20 * n):
        w = a.T @ (b - a @ x)
        w[free] = -1
        if w.max() < 1e-9:
            break
        free[w.argmax()] = True
        while True:
            s = np.zeros(n)
            s[free] = np.linalg.lstsq(a[:, free], b, rcond=1e-10)[0]
            bad = free & (s <= 0)
            if not bad.any():
                break
            step = np.min(x[bad] / (x[bad] - s[bad] + 1e-300))
            x = x + step * (s - x)
            free &= x > 1e-12
        x = s
    return x


def main():
    n = int(os.environ.get("NETS", "160"))
    parts = {"i": n, "r": n // 2, "f": n // 2, "w": n // 8}
    runs = [f for kind in parts for f in (made(i, kind) for i in range(parts[kind])) if f]
    kernels, x, ratio = fit(runs)
    print("/* One line a kernel: name, and how many instructions a step of it takes: each + out x numbers of its result + read x numbers that are read for one")
    print(" * channel of it + row x rows of windows that they lie in (depthwise: rows of up to four results) + mac x multiply-accumulates. Fitted by bench/prices.py to counts of an emulated board, in which every instruction is counted. */")
    for i, k in enumerate(kernels):
        e, o, p, r, m = x[PARTS * i:PARTS * i + PARTS]
        print(f'M4("{k}", {e:.0f}, {o:.3g}, {p:.3g}, {r:.3g}, {m:.4g})')
    print(f"{len(runs)} networks, predicted / counted: {np.percentile(ratio, 5):.2f} to {np.percentile(ratio, 95):.2f} for 90 %, {x[-1]:.0f} for each run", file=sys.stderr)
    prices = {k: x[PARTS * i:PARTS * i + PARTS] for i, k in enumerate(kernels)}
    for net in nets:
        found = count(net, "net-" + os.path.basename(net))
        if found:
            said = sum(float(np.dot(prices.get(s[0], np.zeros(PARTS)), features(s))) for s in found[0])
            print(f"{net}: {said:.0f} predicted, {found[1]} counted, {said / found[1]:.3f}; no price: {sorted({s[0] for s in found[0]} - set(prices))}", file=sys.stderr)


if __name__ == "__main__":
    main()
