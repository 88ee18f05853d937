#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What TFLite's reference kernels give for models of others, for tests/io/tflite/test_tflite.c.

usage: make_tflite_reference.py MODELS_FOLDER > tests/io/tflite/reference/tflite.txt     (needs numpy, ai_edge_litert)

A line a model: "bytes FILE INPUTS CRC32C" of all result bytes, or "reals FILE INPUTS COUNT NUMBER..." for networks whose
last layers compute in floats. Input k is made of bytes of a generator that starts at 12345 + k: the byte as it is for
int8, byte / 128 - 1 for floats. "dim FILE ..." is as bytes, with byte / 8 - 128: for networks of which noise makes next to nothing but
ends of the range. "other FILE INPUTS CRC32C OFFSET BITS ..." is as dim, of the file with these floats at these bytes: the scales of the int8
LSTM's state, of what its kernel makes and of its result are one number in the file, and have to be told apart.
"""
import glob
import os
import struct
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../bench"))
sys.argv, folder = sys.argv[:1], sys.argv[1]
import tflite_bits as bits  # noqa: E402

TABLE = []
for i in range(256):
    c = i
    for _ in range(8):
        c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
    TABLE.append(c)


def crc32c(data):
    c = 0xFFFFFFFF
    for b in data:
        c = TABLE[(c ^ b) & 255] ^ c >> 8
    return c ^ 0xFFFFFFFF


def sample(k, shape, kind):
    s, out = 12345 + k, np.empty(int(np.prod(shape)), np.uint8)
    for i in range(out.size):
        s = (s * 1664525 + 1013904223) & 0xFFFFFFFF
        out[i] = s >> 24
    x = out.view(np.int8) if kind == np.int8 else out if kind == np.uint8 else out.astype(np.float32) / np.float32(128) - np.float32(1)
    return x.reshape(shape)


def exact(it):
    """Is the result whole numbers, or made of them by one last conversion?"""
    last = it._get_ops_details()[-1]["op_name"]
    return it.get_output_details()[0]["dtype"] != np.float32 or last == "DEQUANTIZE"


def other_scales(data, it):
    """The file with a scale of its own wherever it has that of the LSTM's result, and what was changed."""
    at = it._get_ops_details()[0]["outputs"][0]
    scale = next(t for t in it.get_tensor_details() if t["index"] == at)["quantization_parameters"]["scales"][0]
    old, data, words, i = struct.pack("<f", scale), bytearray(data), [], -1
    while (i := data.find(old, i + 1)) >= 0:
        data[i:i + 4] = struct.pack("<f", scale * (1 + 0.0625 * (len(words) // 2 + 1)))
        words += [i, "%08x" % struct.unpack("<I", data[i:i + 4])]
    return bytes(data), words


for path in sorted(glob.glob(folder + "/**/*.tflite", recursive=True)):
    data = bits.load(path)
    it = bits.Interpreter(model_content=data)
    it.allocate_tensors()
    if bits.mixed(it):  # TFLite rounds inputs of such layers on the way, we do not
        continue
    d = it.get_input_details()[0]
    n = 1 if np.prod(d["shape"]) > 100000 else 3 if np.prod(d["shape"]) > 10000 else 8
    x = np.stack([sample(k, list(d["shape"])[1:], d["dtype"]) for k in range(n)])
    y = bits.interpret(data, x, bits.OpResolverType.BUILTIN_REF)
    name = os.path.relpath(path, folder)
    if exact(it):
        print("bytes", name, n, "%08x" % crc32c(y.tobytes()))
        if d["dtype"] == np.int8 and len(np.unique(y)) < 3:
            dim = ((x.view(np.uint8) >> 3).astype(np.int16) - 128).astype(np.int8)
            print("dim", name, n, "%08x" % crc32c(bits.interpret(data, dim, bits.OpResolverType.BUILTIN_REF).tobytes()))
            if it._get_ops_details()[0]["op_name"] == "UNIDIRECTIONAL_SEQUENCE_LSTM":
                data, words = other_scales(data, it)
                print("other", name, n, "%08x" % crc32c(bits.interpret(data, dim, bits.OpResolverType.BUILTIN_REF).tobytes()), *words)
    else:
        few = y.reshape(n, -1)[:, :10].ravel()
        print("reals", name, n, few.size // n, *("%.6g" % v for v in few))
