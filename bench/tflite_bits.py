#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every byte of int8 TensorFlow Lite models against TFLite's own interpreter.

usage: tflite_bits.py COPPICE MODELS_FOLDER [-n INPUTS] [--only WORD]
needs numpy and ai_edge_litert (or tensorflow); what is absent is skipped. COPPICE_DATA names the data sets.

For each model: inputs (real ones where a data set fits, else random), the interpreter's reference kernels, `coppice run`;
then how many outputs differ, and by how much. The interpreter's fast kernels are counted, too: they differ from its own
reference here and there. Float models: the largest difference.
"""
import argparse
import glob
import gzip
import os
import subprocess
import sys
import tempfile

import numpy as np

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
except ImportError:
    sys.exit("skipped: ai_edge_litert is not installed")


def load(path):
    """The model's bytes; bias scales of old files name an axis that newer interpreters refuse: it has no meaning, and is set to 0."""
    data = open(path, "rb").read()
    try:
        Interpreter(model_content=data).allocate_tensors()
        return data
    except Exception:
        import flatbuffers
        from ai_edge_litert import schema_py_generated as schema

        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
        for t in model.subgraphs[0].tensors:
            if t.quantization is not None and t.shape is not None and len(t.shape) <= t.quantization.quantizedDimension:
                t.quantization.quantizedDimension = 0
        b = flatbuffers.Builder(len(data))
        b.Finish(model.Pack(b), b"TFL3")
        return bytes(b.Output())


def find(name):
    for f in os.environ.get("COPPICE_DATA", "").split(":"):
        if os.path.exists(os.path.join(f, name)):
            return os.path.join(f, name)
    return None


def mnist(n):
    p = find("mnist/t10k-images-idx3-ubyte.gz")
    return np.frombuffer(gzip.open(p).read(), np.uint8, offset=16).reshape(-1, 28, 28, 1)[:n] if p else None


def cifar(n):
    p = find("cifar10-jpeg/cifar10-jpeg.tar.xz")
    if not p:
        return None
    import io, tarfile
    from PIL import Image

    out = []
    with tarfile.open(p) as t:
        for m in t:
            if "test/" in m.name and m.name.endswith(".jpg"):
                out.append(np.asarray(Image.open(io.BytesIO(t.extractfile(m).read())).convert("RGB")))
                if len(out) == n:
                    break
    return np.stack(out)


def kws(n):
    p = find("kws-mfcc/kws01_mfcc_int8_1000x49x10.bin")
    return np.fromfile(p, np.int8).reshape(-1, 49, 10, 1)[:n] if p else None


def real_inputs(name, d, n):
    """Raw inputs and where they come from; None: random."""
    shape, kind = list(d["shape"]), d["dtype"]
    scale, zero = d["quantization"]
    try:
        if "kws" in name and (x := kws(n)) is not None:
            return (x if kind == np.int8 else (np.float32(0.584703) * (x.astype(np.float32) - 83))), "kws-mfcc"
        pixels = mnist(n) if shape[1:] in ([28, 28, 1], [28, 28]) else cifar(n) if shape[1:] == [32, 32, 3] else None
        if pixels is not None:
            where = "mnist" if 28 in shape else "cifar10-jpeg"
            x = pixels.reshape([len(pixels)] + shape[1:]).astype(np.float32)
            unit = x if "Resnet" in name else x / np.float32(255)
            if kind == np.float32:
                return unit, where
            info = np.iinfo(kind)
            return np.clip(np.round(unit / np.float32(scale)) + zero, info.min, info.max).astype(kind), where
    except ImportError:
        pass
    return None


def inputs(name, d, n):
    got = real_inputs(name, d, n)
    if got:
        return got
    rng = np.random.default_rng(1)
    shape = [n] + list(d["shape"])[1:]
    if d["dtype"] == np.float32:
        return rng.random(shape, np.float32) * 2 - 1, "random"
    info = np.iinfo(d["dtype"])
    return rng.integers(info.min, info.max, shape, d["dtype"], endpoint=True), "random"


def interpret(data, x, kind):
    it = Interpreter(model_content=data, experimental_op_resolver_type=kind, num_threads=1)
    it.allocate_tensors()
    i, o = it.get_input_details()[0]["index"], it.get_output_details()[0]["index"]
    out = []
    for one in x:
        it.reset_all_variables()
        it.set_tensor(i, one[None])
        it.invoke()
        out.append(it.get_tensor(o)[0].copy())
    return np.stack(out)


def ours(coppice, path, x):
    with tempfile.TemporaryDirectory() as t:
        np.save(t + "/x.npy", x)
        r = subprocess.run([coppice, "run", path, t + "/x.npy", "-o", t + "/y.npy"], capture_output=True, text=True, env={**os.environ, "COPPICE_ISA": os.environ.get("COPPICE_ISA", "ref")})
        return (np.load(t + "/y.npy"), "") if r.returncode == 0 else (None, r.stderr.strip())


def mixed(it):
    """Float layers with int8 weights."""
    ops = {o["op_name"] for o in it._get_ops_details()}
    return it.get_input_details()[0]["dtype"] == np.float32 and not ops & {"QUANTIZE", "DEQUANTIZE"} and any(t["dtype"] == np.int8 for t in it.get_tensor_details())


def compare(a, want, whole):
    if a.size != want.size:
        return f"shape {a.shape}, {want.shape} expected"
    a = a.reshape(want.shape)
    if not whole:
        return f"largest difference {np.abs(a - want).max():.2g} of {np.abs(want).max():.2g}"
    d = np.abs(a.astype(int) - want.astype(int))
    return "every byte equal" if not d.any() else f"{(d > 0).sum()} of {d.size} bytes differ, by {d.max()} at most"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("coppice")
    p.add_argument("models")
    p.add_argument("-n", type=int, default=1000)
    p.add_argument("--only", default="")
    a = p.parse_args()
    bad = 0
    for path in sorted(glob.glob(a.models + "/**/*.tflite", recursive=True)):
        name = os.path.basename(path)
        if a.only not in name:
            continue
        data = load(path)
        it = Interpreter(model_content=data)
        it.allocate_tensors()
        d = it.get_input_details()[0]
        n = min(a.n, max(10, int(a.n * 30000 / max(30000, np.prod(d["shape"])))))
        x, where = inputs(name, d, n)
        y, why = ours(a.coppice, path, x)
        if y is None:
            print(f"{name}: {why}", flush=True)
            bad += "LSTM" not in why
            continue
        ref = interpret(data, x, OpResolverType.BUILTIN_REF)
        whole = ref.dtype != np.float32
        result = compare(y, ref, whole)
        bits = not whole and y.size == ref.size and y.tobytes() == ref.tobytes()
        if bits:
            result = "every byte equal"
        if mixed(it):
            result += " (int8 weights in float layers: TFLite rounds their inputs to int8, we do not)"
        fast = compare(interpret(data, x, OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES).reshape(ref.shape), ref, whole)
        print(f"{name}: {len(x)} {where} inputs: {result}; TFLite's fast kernels: {fast}", flush=True)
        close = not whole and y.size == ref.size and np.abs(y.reshape(ref.shape) - ref).max() <= 1e-4 * max(1, np.abs(ref).max())
        bad += not (result == "every byte equal" or close or mixed(it))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
