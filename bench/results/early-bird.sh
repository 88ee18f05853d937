#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Early-bird tickets: half of the channels, found early, against a search over a whole training and a random choice
# EPOCHS (30) epochs. The full search trains the whole network for all of them, then cuts it and trains it for as many again. LIMIT: samples of each part.
# The network is resnet-8 on cifar10-jpeg (a lossy copy of CIFAR-10); ONLY=small: three convolutions with batch norm on fashion-mnist, which take a tenth of the time.
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-30}
limit=${LIMIT:+--limit=$LIMIT}
net=resnet-8 data=cifar10-jpeg what="resnet-8 on cifar10-jpeg, a lossy copy of CIFAR-10"
if [ "${ONLY:-}" = small ]; then
	net=$folder/small.txt data=fashion-mnist what="Convolutions of 16, 32 and 32 filters with batch norm on fashion-mnist"
	printf 'input 28 28 1\nconv 16 3x3 stride 2 norm relu\nconv 32 3x3 stride 2 norm relu\nconv 32 3x3 norm relu\nmean\nfc 10\n' >"$net"
fi

# WAY SEED STAGE [NET SECONDS]: begins with a network that took so many seconds. Accuracy, seconds of the processor, multiply-accumulates, after which epoch. What else
# runs on the machine does not change these.
run() {
	at=$folder/$1-$2
	[ ! -s "$at" ] || return 0
	printf 'name: early-bird\nstages:\n%s\n' "$3" >"$at.yaml"
	("$bin" compress "${4:-$net}" --recipe "$at.yaml" --data $data --seed="$2" --threads 1 --verbose --json $limit -o "$at.cop" >"$at.json" 2>"$at.log" && times >"$at.times") || return 1
	seconds=$(awk -v s="${5:-0}" 'NR == 2 { split($1, t, "[ms]"); print s + 60 * t[1] + t[2] }' "$at.times")
	macs=$(sed 's/.*"macs":\([0-9]*\).*/\1/' "$at.json")
	found=$(sed -n 's/.*early-bird: after epoch \([0-9]*\) of.*/\1/p' "$at.log" | tail -1)
	echo "$(sed 's/.*"accuracy":\([0-9-][0-9.e-]*\).*/\1/' "$at.json") $seconds $macs ${found:-0}" >"$at"
}

row() {
	for seed in $SEEDS; do cat "$folder/$2-$seed"; done | awk -v label="$1" '
		{ a = 100 * $1; s += a; if (NR == 1 || a < lo) lo = a; if (NR == 1 || a > hi) hi = a; t += $2; m += $3; f += $4 }
		END { printf "| %s | %s | %.2f (%.2f to %.2f) | %.2f M | %.0f |\n", label, f ? sprintf("%.1f", f / NR) : "-", s / NR, lo, hi, m / NR / 1e6, t / NR }'
}

terms="epochs: $epochs, may_cost: 100, must_gain: 0"
bird() { # WAY SEED OPTIONS: found early, and by a full search
	run "early$1" "$2" "  - early-bird: {$3, $terms}" && run "full$1" "$2" "  - early-bird: {$3, after: 1, $terms}" "$folder/whole-$2.cop" "$(cut -d' ' -f2 "$folder/whole-$2")"
}
for seed in $SEEDS; do
	run whole "$seed" "  - train: {$terms}" || exit 1
	bird "" "$seed" "keep: 0.5, by: bn-scale, scope: global" || exit 1
	bird -layer "$seed" "keep: 0.5, by: bn-scale, scope: layer" || exit 1
	run random-layer "$seed" "  - early-bird: {keep: 0.5, by: random, scope: layer, after: 1, $terms}" || exit 1
done
cat <<TEXT
Accuracy in percent on the test images: mean, and least to most over the seeds. $what. Each training has $epochs epochs${LIMIT:+ of $LIMIT samples}. Half of the channels stay.
The time is that of the processor in all stages, on one thread.

| network | cut after epoch | accuracy | multiply-accumulates | seconds |
|---|---|---|---|---|
TEXT
row "whole" whole
row "early bird, one cut for all layers" early
row "full search, then trained again" full
row "early bird, half of each layer" early-layer
row "full search, half of each layer" full-layer
row "random half of each layer, cut after the first epoch" random-layer
