#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random float graphs, exported to ONNX, in ONNX Runtime against the portable kernels: the largest difference over the largest value.

usage: python bench/random_onnx.py build/tests/test_random [HOW_MANY] [FIRST_SEED]
Needs numpy and onnxruntime.
"""
import glob, os, subprocess, sys, tempfile
import numpy as np
import onnxruntime as ort

LIMIT = 1e-4


def differs(stem):
    session = ort.InferenceSession(stem + ".onnx", providers=["CPUExecutionProvider"])
    given = {v.name: np.load(f"{stem}.in{i}.npy") for i, v in enumerate(session.get_inputs())}
    worst = 0
    for i, got in enumerate(session.run(None, given)):
        want = np.load(f"{stem}.out{i}.npy")
        if got.size != want.size:
            return float("inf")
        worst = max(worst, float(np.abs(got.ravel() - want.ravel()).max() / max(1e-3, np.abs(want).max())))
    return worst


def main():
    program, count, first = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "100", sys.argv[3] if len(sys.argv) > 3 else "1"
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "COPPICE_RANDOM": count, "COPPICE_RANDOM_FROM": first, "COPPICE_RANDOM_KEEP": folder})
        stems = sorted(p[:-5] for p in glob.glob(folder + "/*.onnx"))
        found = {os.path.basename(s): differs(s) for s in stems}
    bad = {s: d for s, d in found.items() if not d <= LIMIT}
    for s, d in bad.items():
        print(f"seed {s}: {d:.3g}")
    print(f"{len(found)} graphs, {len(bad)} differ by more than {LIMIT:g}, worst {max(found.values()):.2g}")
    sys.exit(bool(bad))


main()
