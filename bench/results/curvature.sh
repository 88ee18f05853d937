#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Accuracy of LeNet-300-100 and LeNet-5 on MNIST cut without any training: by magnitude, optimal brain damage, optimal brain compression and at random
# All weights compete (scope: global). OBD and OBC look at 1024 samples of the training set. ONLY: one of the networks.
set -u
bin=$1 folder=$2
nets=${ONLY:-lenet-300-100 lenet-5}
sparsities="10 20 30 40 50 60 70 80 90 95"
scores="random magnitude obd obc"

# NET SCORE SPARSITY SEED: the accuracy in percent into a file of its own
run() {
	from=$folder/$1-$4 at=$folder/$1-$2-$3-$4
	[ -s "$from.cop" ] || "$bin" train "$1" --data mnist --seed="$4" --threads 1 --resume --quiet -o "$from.cop" >&2 || return 1
	[ ! -s "$at" ] || return 0
	printf 'name: curvature\nstages:\n  - prune: {by: %s, keep: 0.%02d, schedule: once, train: no, samples: 1024, may_cost: 100, must_gain: 0}\n' "$2" $((100 - $3)) >"$at.yaml"
	"$bin" compress "$from.cop" --recipe "$at.yaml" --data mnist --seed="$4" --threads 1 --json -o "$at.cop" >"$at.json" || return 1
	sed -n 's/.*"accuracy_before":\([0-9.e-]*\).*"accuracy":\([0-9.e-]*\).*/\1 \2/p; t
		s/.*"accuracy":\([0-9.e-]*\).*"accuracy_before":\([0-9.e-]*\).*/\2 \1/p' "$at.json" >"$at.part" && [ -s "$at.part" ] && mv "$at.part" "$at"
	rm -f "$at.cop" "$at.history.json" "$at.yaml" "$at.json"
}

# NET SCORE SPARSITY: a cell, mean and range over the seeds
cell() {
	for seed in $SEEDS; do cat "$folder/$1-$2-$3-$seed"; done |
		awk '{ v = 100 * $2; s += v; if (NR == 1 || v < lo) lo = v; if (NR == 1 || v > hi) hi = v } END { printf " %.2f (%.2f to %.2f) |", s / NR, lo, hi }'
}

for net in $nets; do
	for seed in $SEEDS; do
		for sparsity in $sparsities; do
			for score in $scores; do run "$net" "$score" "$sparsity" "$seed" || exit 1; done
		done
	done
done
echo "Accuracy in percent on the 10,000 test images after one cut and no training: mean, and least to most over the seeds. The sparsity is the part of all weights (not biases) that goes."
for net in $nets; do
	whole=$(for seed in $SEEDS; do cat "$folder/$net-magnitude-10-$seed"; done | awk '{ s += $1 } END { printf "%.2f", 100 * s / NR }')
	printf '\n### %s\n\nBefore the cut: %s %%.\n\n| sparsity | random | magnitude | OBD | OBC |\n|---|---|---|---|---|\n' "$net" "$whole"
	for sparsity in $sparsities; do
		printf '| %s %% |' "$sparsity"
		for score in $scores; do cell "$net" "$score" "$sparsity"; done
		echo
	done
done
