#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Training on a device: RAM, flash and instructions of one step of an int8 MobileNetV2-0.35 on a Cortex-M4, and where its RAM goes
# seeds: 1
set -u
here=$(dirname "$0")/..
"$here/on_device.sh" "$1" "$2" >"$2/rows" || exit 1
cat <<'TEXT'
MobileNetV2-0.35 of `tiny-training` for pictures of 128x128, batch 1, with a new last layer of floats for ten classes. RAM is all of it: .data, .bss and the stack, the weights that change and the picture within.
For comparison: the demonstration of TinyEngine, which trains an int8 network for pictures of that size with the 49 KB scheme, takes 252,504 bytes, counted so, and 106.4 M instructions a step; its authors give 141 KB as the
peak of tensors for MobileNetV2-0.35.

TEXT
grep -v '^ram_bytes' "$2/rows"
