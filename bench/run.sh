#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The measurements that need a quiet machine: kernels against the processor's peak, networks against PyTorch
# (when `python3 -c "import torch"` works; PYTHON names another interpreter).
set -eu
cd "$(dirname "$0")/.."
build/bench_kernels
"${PYTHON:-python3}" bench/compare.py --build build "$@" || true
