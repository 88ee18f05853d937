#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Early-bird tickets of resnet-8 on cifar10-jpeg (a lossy copy of CIFAR-10): half of the channels, found early, against a search over a whole training and a random choice
# EPOCHS (30) epochs. The full search trains the whole network for all of them, then cuts it and trains it for as many again. LIMIT: samples of each part.
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-30}
limit=${LIMIT:+--limit=$LIMIT}

# WAY SEED RECIPE
run() {
	at=$folder/$1-$2
	[ ! -s "$at" ] || return 0
	printf 'name: early-bird\nstages:\n%s\n' "$3" >"$at.yaml"
	"$bin" compress resnet-8 --recipe "$at.yaml" --data cifar10-jpeg --seed="$2" --threads 1 --epochs "$epochs" --resume --verbose --json $limit -o "$at.cop" >"$at.json" 2>"$at.log" || return 1
	seconds=$(grep -o '"seconds":[0-9.]*' "$at.history.json" | cut -d: -f2 | awk '{ s += $1 } END { print s }')
	macs=$(sed 's/.*"macs":\([0-9]*\).*/\1/' "$at.json")
	found=$(sed -n 's/.*early-bird: after epoch \([0-9]*\) of.*/\1/p' "$at.log" | tail -1)
	echo "$(sed 's/.*"accuracy":\([0-9.e-]*\).*/\1/' "$at.json") $seconds $macs ${found:-0}" >"$at"
}

row() {
	for seed in $SEEDS; do cat "$folder/$2-$seed"; done | awk -v label="$1" '
		{ a = 100 * $1; s += a; if (NR == 1 || a < lo) lo = a; if (NR == 1 || a > hi) hi = a; t += $2; m += $3; f += $4 }
		END { printf "| %s | %s | %.2f (%.2f to %.2f) | %.2f M | %.0f |\n", label, f ? sprintf("%.1f", f / NR) : "-", s / NR, lo, hi, m / NR / 1e6, t / NR }'
}

terms="may_cost: 100, must_gain: 0"
for seed in $SEEDS; do
	run whole "$seed" "  - train: {$terms}" || exit 1
	run early "$seed" "  - early-bird: {keep: 0.5, by: bn-scale, $terms}" || exit 1
	run full "$seed" "  - train: {$terms}
  - early-bird: {keep: 0.5, by: bn-scale, after: 1, $terms}" || exit 1
	run random "$seed" "  - early-bird: {keep: 0.5, by: random, after: 1, $terms}" || exit 1
done
cat <<TEXT
Accuracy in percent on the test images: mean, and least to most over the seeds. Each training has $epochs epochs${LIMIT:+ of $LIMIT samples}. Half of the channels stay. The time is that of all stages, on one thread of a machine that was shared.

| network | found after epoch | accuracy | multiply-accumulates | seconds |
|---|---|---|---|---|
TEXT
row "whole" whole
row "early bird" early
row "full search, then trained again" full
row "random channels, cut after the first epoch" random
