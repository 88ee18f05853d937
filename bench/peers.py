#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time of one inference, one thread, beside ONNX Runtime, LiteRT (XNNPACK) and ncnn, float and int8, in one run.

    COPPICE_MODELS=FOLDER python3 bench/peers.py [--coppice build/coppice] [--cpu N] [--rounds 9] [--seconds 0.3] [--only WORD] [--json FILE]
                                                 [--apply PASSES] [--least]

The same file for everyone: the four networks of MLPerf Tiny from COPPICE_MODELS/mlperf-tiny, and MobileNetV2 1.0 at 224 with random
weights (bench/peer_models.py, which translates). All are pinned to one core and take turns; a turn is many runs and counts by
its median. Printed: the median over the turns, the fastest and the slowest turn, and how much longer the best peer takes: the median
over the rounds of its turn by ours. --least judges by each turn's fastest run, for machines that are not quiet.
--apply runs passes over our side's networks first: "round:mode=single drop_constant" rounds once, as LiteRT does, and leaves out
channels that never change, which keeps results. What is not installed is left out: peers are no dependencies. Before it counts, a peer's result is compared with LiteRT's. ncnn
has no zero points: it does the same work on other numbers.
"""
import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time

try:
    import numpy as np

    import peer_models
except ImportError as e:
    sys.exit(f"peers: {e.name} is not installed here; nothing to compare with")

TINY = "mlperf-tiny/"
NETS = [
    ("autoencoder", "anomaly_detection/ad01_fp32", "anomaly_detection/ad01_int8"),
    ("ds-cnn", "keyword_spotting/kws_ref_model_float32", "keyword_spotting/kws_ref_model"),
    ("resnet-8", "image_classification/pretrainedResnet", "image_classification/pretrainedResnet_quant"),
    ("mobilenet-v1-0.25", "visual_wake_words/vww_96_float", "visual_wake_words/vww_96_int8"),
    ("mobilenet-v2-1.0", None, None),
]


def timed(run, seconds):
    """(median, least) in milliseconds."""
    run()
    at, begin = [], time.perf_counter()
    while len(at) < 5 or time.perf_counter() - begin < seconds:
        t = time.perf_counter()
        run()
        at.append(time.perf_counter() - t)
    return statistics.median(at) * 1e3, min(at) * 1e3


class Ours:
    def __init__(self, exe, tflite, passes, cop):
        if passes:
            done = subprocess.run([exe, "apply", tflite, passes, "-o", cop], capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"peers: {done.stderr.strip()}")
            tflite = cop
        self.command = [exe, "bench", tflite, "--threads", "1", "--json", "--seconds"]

    def turn(self, seconds):
        done = subprocess.run(self.command + [str(seconds)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"peers: {done.stderr.strip()}")
        got = json.loads(done.stdout)
        return got["milliseconds"], got["milliseconds_least"]


class LiteRT:
    def __init__(self, net, tflite, onnx, ncnn, x):
        from ai_edge_litert.interpreter import Interpreter

        self.i = Interpreter(model_path=tflite, num_threads=1)
        self.i.allocate_tensors()
        self.i.set_tensor(self.i.get_input_details()[0]["index"], x)

    def turn(self, seconds):
        return timed(self.i.invoke, seconds)

    def result(self):
        self.i.invoke()
        return self.i.get_tensor(self.i.get_output_details()[0]["index"])


class OnnxRuntime:
    def __init__(self, net, tflite, onnx, ncnn, x):
        import onnxruntime as ort

        o = ort.SessionOptions()
        o.intra_op_num_threads = o.inter_op_num_threads = 1
        o.log_severity_level = 3
        self.s = ort.InferenceSession(onnx, o, providers=["CPUExecutionProvider"])
        self.b = self.s.io_binding()
        self.b.bind_cpu_input(self.s.get_inputs()[0].name, np.ascontiguousarray(x.transpose(0, 3, 1, 2) if x.ndim == 4 else x))
        self.b.bind_output(self.s.get_outputs()[0].name)

    def turn(self, seconds):
        return timed(lambda: self.s.run_with_iobinding(self.b), seconds)

    def result(self):
        self.s.run_with_iobinding(self.b)
        return self.b.copy_outputs_to_cpu()[0]


class Ncnn:
    def __init__(self, net, tflite, onnx, ncnn_stem, x):
        import ncnn

        self.n = ncnn.Net()
        self.n.opt.num_threads = 1
        self.n.opt.use_vulkan_compute = False
        if self.n.load_param(ncnn_stem + ".param") or self.n.load_model(ncnn_stem + ".bin"):
            raise ValueError("ncnn does not read it")
        if net.int8:
            s, z = net.scale(net.input)
            x = (x.astype(np.float32) - z) * s[0]
        self.held = np.ascontiguousarray(x[0].transpose(2, 0, 1) if x.ndim == 4 else x[0])  # a Mat does not hold what it shows
        self.x = ncnn.Mat(self.held).clone()
        self.names = f"t{net.input}", f"t{net.output}"

    def run(self):
        e = self.n.create_extractor()
        e.input(self.names[0], self.x)
        return e.extract(self.names[1])[1]

    def turn(self, seconds):
        return timed(self.run, seconds)

    def result(self):
        return np.array(self.run())


PEERS = {"LiteRT": LiteRT, "ONNX Runtime": OnnxRuntime, "ncnn": Ncnn}


def differ(name, net, got, want):
    """A sentence when the result is not LiteRT's, None when it is."""
    got, want = got.astype(np.float32).ravel(), want.astype(np.float32).ravel()
    if name == "ncnn" and net.int8:
        return None if got.size == want.size else "another size"
    most, scale = np.abs(got - want).max(), max(1.0, np.abs(want).max())  # ncnn keeps weights in 16 bits
    # int8: layers round in other ways, and random weights make that grow
    return None if most <= (20 if net.int8 else 1e-2 * scale) else f"off by {most:g}"


def build(args, folder, name, source, int8):
    path = source and os.path.join(os.environ["COPPICE_MODELS"], TINY + source + ".tflite")
    net, tflite, onnx, ncnn = peer_models.prepare(path, folder, f"{name}-{'int8' if int8 else 'f32'}")
    rng = np.random.default_rng(7)
    x = rng.integers(-100, 100, net.shape).astype(np.int8) if net.int8 else rng.random(net.shape, np.float32)
    engines, want = {"Coppice": Ours(args.coppice, tflite, args.apply, os.path.join(folder, "ours.cop"))}, None
    for peer, make in PEERS.items():
        try:
            e = make(net, tflite, onnx, ncnn, x)
            got = e.result()
        except Exception as err:  # not installed, or does not read it
            print(f"  {peer} is left out: {str(err).splitlines()[0][-160:]}")
            continue
        want = got if want is None else want
        wrong = differ(peer, net, got, want)
        if wrong:
            print(f"  {peer} is left out of {name}: its result differs from LiteRT's ({wrong})")
        else:
            engines[peer] = e
    return engines


def measure(engines, args):
    turns = {n: [] for n in engines}
    for _ in range(args.rounds):
        for n, e in engines.items():
            turns[n].append(e.turn(args.seconds)[1 if args.least else 0])
    return turns


def report(name, kind, turns, rows):
    mid = {n: statistics.median(t) for n, t in turns.items()}
    peers = [n for n in turns if n != "Coppice"]
    best = min(peers, key=mid.get) if peers else None
    ratio = statistics.median(b / a for a, b in zip(turns["Coppice"], turns[best])) if best else None
    cells = "  ".join(f"{n} {mid[n]:.4f} ({min(t):.4f}-{max(t):.4f})" for n, t in turns.items())
    print(f"{name:18} {kind:4}  {cells}" + (f"  best peer / ours {ratio:.2f} ({best})" if best else ""), flush=True)
    rows.append({"net": name, "kind": kind, "milliseconds": turns, "best": best, "ratio": ratio})


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--coppice", default="build/coppice")
    p.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)))
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--seconds", type=float, default=0.3)
    p.add_argument("--only", default="")
    p.add_argument("--json")
    p.add_argument("--apply")
    p.add_argument("--least", action="store_true")
    args = p.parse_args()
    os.sched_setaffinity(0, {args.cpu})
    print(f"milliseconds, batch 1, one thread, core {args.cpu}: median of {args.rounds} turns of {args.seconds} s" + (" (each its fastest run)" if args.least else ""))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, *sources in NETS:
            for kind, source in zip(("f32", "int8"), sources):
                if args.only not in f"{name}-{kind}":
                    continue
                if source and "COPPICE_MODELS" not in os.environ:
                    print(f"{name}: skipped, COPPICE_MODELS names no folder")
                    continue
                report(name, kind, measure(build(args, folder, name, source, kind == "int8"), args), rows)
    for kind in ("f32", "int8"):
        all_of = [r["ratio"] for r in rows if r["kind"] == kind and r["ratio"]]
        if all_of:
            print(f"{kind}: best peer / ours, geometric mean {math.exp(sum(map(math.log, all_of)) / len(all_of)):.2f}, least {min(all_of):.2f}")
    if args.json:
        json.dump(rows, open(args.json, "w"), indent=1)


if __name__ == "__main__":
    main()
