#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Errors as bytes: a new task learnt by an int8 MobileNetV2-0.35 with the gradients of its activations as floats and as bytes, by how those are rounded
# The task of transfer.sh, five classes of cifar10-jpeg, a lossy copy of CIFAR-10. EPOCHS (3), RATE (0.01). Needs python3 with numpy and onnx, arm-none-eabi-gcc, qemu-system-arm.
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-3} rate=${RATE:-0.01} here=$(dirname "$0")/..
. "$here/transfer_task.sh"

pictures || exit 1
cat <<TEXT
Accuracy on 1,000 test pictures after $epochs epochs of 1,500, one sample a step, the rate $rate falling along a cosine: mean, and least to most over the seeds. RAM is .data, .bss and stack, instructions those of one step on an emulated Cortex-M4.
Trained are the biases of the last 25 layers, the weights of six, and the last layer, but for the first row.

| errors | accuracy | RAM | instructions |
|---|---|---|---|
TEXT
row "none: the last layer alone" head head ""
row "floats" large large ""
row "bytes, rounded by the bits that are lost" pseudo large "errors=int8"
row "bytes, to the nearest" nearest large "errors=int8 rounding=nearest"
row "bytes, by chance" stochastic large "errors=int8 rounding=stochastic"
row "bytes, cut" truncate large "errors=int8 rounding=truncate"
exit 0
