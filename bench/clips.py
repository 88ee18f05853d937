#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# The 1,000 keyword clips of MLPerf Tiny in $COPPICE_DATA/kws-mfcc as arrays of a training part, 600, and a test part, by a fixed order. Tables of results use them. Needs numpy.
#   bench/clips.py FOLDER     writes x_train.npy, y_train.npy, x_test.npy, y_test.npy
import os
import sys

import numpy as np

at, to = os.path.join(os.environ["COPPICE_DATA"], "kws-mfcc"), sys.argv[1]
x = np.fromfile(at + "/kws01_mfcc_int8_1000x49x10.bin", np.int8).reshape(1000, 49, 10, 1)
y = np.fromfile(at + "/kws01_labels_u8_1000.bin", np.uint8).astype(np.int32)
x = (0.584703 * (x.astype(np.float32) - 83)).astype(np.float32)
order = np.random.default_rng(1).permutation(1000)
os.makedirs(to, exist_ok=True)
for part, i in (("train", order[:600]), ("test", order[600:])):
    np.save(f"{to}/x_{part}.npy", x[i])
    np.save(f"{to}/y_{part}.npy", y[i])
