#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A new task learnt as a device would: which layers of an int8 MobileNetV2-0.35 are trained, and how integers move, against RAM and instructions of a Cortex-M4
# The backbone is that of `tiny-training` (Lin et al. 2022), with a new last layer. The task: five classes of cifar10-jpeg, a lossy copy of CIFAR-10, enlarged to 128x128:
# 1,500 pictures to learn from, 1,000 to test. One sample a step. EPOCHS (5), RATE (0.01). Needs python3 with numpy and onnx.
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-5} rate=${RATE:-0.01} here=$(dirname "$0")/..

. "$here/transfer_task.sh"

pictures || exit 1
cat <<TEXT
Accuracy on 1,000 test pictures after $epochs epochs of 1,500, one sample a step, the rate $rate falling along a cosine: mean, and least to most over the seeds. RAM is .data, .bss and stack, instructions those of one step.
Kept results: what the layers up to conv41 give for each picture, 896 bytes, lies in flash, and they are not run again.

| what is trained | accuracy | RAM | instructions |
|---|---|---|---|
TEXT
row "the last layer alone" head head ""
row "biases of the last 16 layers" bias bias ""
row "and weights of two layers" small small ""
row "biases of the last 25 layers, weights of six" large large ""
row "biases of the last nine layers, from kept results" few few "" kept
row "and their depthwise weights" depthwise depthwise "" kept
row "the last six layers, weights and biases" last last ""
row "two early layers, and the last" early early ""
row "biases of 25, weights of six, without scaling" unscaled large "scaling=no"
row "the same with scaling, rounded to the nearest" nearest large "round=nearest"
row "the same, cut as C does" truncate large "round=truncate"
row "the last layer alone, the network as floats that round" float-head head "$rate sgd momentum=0" floats
row "biases of 25, weights of six, as floats, SGD" float-large large "$rate sgd momentum=0" floats
row "the same, Adam" adam-large large "0.001 adam" floats
row "all layers, as floats, Adam at a tenth of its rate" adam-all all "0.0001 adam" floats
exit 0
