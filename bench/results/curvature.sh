#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Accuracy of LeNet-300-100 and LeNet-5 on MNIST cut without any training: by magnitude, optimal brain damage, optimal brain compression and at random
# All weights compete (scope: global). OBC looks at 1024 samples of the training set, OBD at 4096. lenet-300-100-plain is trained without weight decay.
# ONLY: some of the networks.
set -u
bin=$1 folder=$2
nets=${ONLY:-lenet-300-100 lenet-300-100-plain lenet-5}
sparsities="10 20 30 40 50 60 70 80 90 95"
ways="random magnitude obd-1990 obd obd-5 obc"

# WAY SPARSITY: the stages; obd-5 takes the same part of what is left five times
stages() {
	case $1 in obd-5) by=obd cuts=5 ;; *) by=$1 cuts=1 ;; esac
	case $1 in obd*) samples=4096 ;; *) samples=1024 ;; esac
	for k in $(seq $cuts); do
		keep=$(awk "BEGIN { printf \"%.5f\", (1 - $2 / 100) ^ ($k / $cuts) }")
		printf '  - prune: {by: %s, keep: %s, schedule: once, train: no, samples: %d, may_cost: 100, must_gain: 0}\n' "$by" "$keep" $samples
	done
}

field() { sed 's/.*"'"$1"'":\([-0-9][-0-9.e]*\).*/\1/'; }

# NET WAY SPARSITY SEED: accuracies before and after, and the loss on the training set, into a file of its own
run() {
	from=$folder/$1-$4 at=$folder/$1-$2-$3-$4-loss
	case $1 in *-plain) update="--update=sgd momentum=0.9" ;; *) update="--update=sgd momentum=0.9 decay=5e-4" ;; esac
	[ -s "$from.cop" ] || "$bin" train "${1%-plain}" --data mnist "$update" --seed="$4" --threads 1 --resume --quiet -o "$from.cop" >&2 || return 1
	[ ! -s "$at" ] || return 0
	{ printf 'name: curvature\nstages:\n'; stages "$2" "$3"; } >"$at.yaml"
	"$bin" compress "$from.cop" --recipe "$at.yaml" --data mnist --seed="$4" --threads 1 --json -o "$at.cop" >"$at.json" || return 1
	loss=$("$bin" eval "$at.cop" --data mnist --split train --threads 1 --json | field loss)
	[ "$loss" ] && echo "$(field accuracy_before <"$at.json") $(field accuracy <"$at.json") $loss" >"$at.part" && mv "$at.part" "$at"
	rm -f "$at.cop" "$at.history.json" "$at.yaml" "$at.json"
}

# NET WAY SPARSITY: a cell, mean and range over the seeds
accuracies() {
	for seed in $SEEDS; do cat "$folder/$1-$2-$3-$seed-loss"; done |
		awk '{ v = 100 * $2; s += v; if (NR == 1 || v < lo) lo = v; if (NR == 1 || v > hi) hi = v } END { printf " %.2f (%.2f to %.2f) |", s / NR, lo, hi }'
}
losses() {
	for seed in $SEEDS; do cat "$folder/$1-$2-$3-$seed-loss"; done |
		awk '{ s += $3; if (NR == 1 || $3 < lo) lo = $3; if (NR == 1 || $3 > hi) hi = $3 } END { printf " %.4f (%.4f to %.4f) |", s / NR, lo, hi }'
}

# NET CELL
table() {
	printf '\n| sparsity | random | magnitude | OBD, as published | OBD | OBD, in 5 cuts | OBC |\n|---|---|---|---|---|---|---|\n'
	for sparsity in $sparsities; do
		printf '| %s %% |' "$sparsity"
		for way in $ways; do "$2" "$1" "$way" "$sparsity"; done
		echo
	done
}

for net in $nets; do
	for seed in $SEEDS; do
		for sparsity in $sparsities; do
			for way in $ways; do run "$net" "$way" "$sparsity" "$seed" || exit 1; done
		done
	done
done
echo "Without any training: mean, and least to most over the seeds. The sparsity is the part of all weights (not biases) that goes. \"As published\" is \`by: obd-1990\`, OBD is \`by: obd\`; in 5 cuts, it is computed anew after each."
for net in $nets; do
	whole=$(for seed in $SEEDS; do cat "$folder/$net-magnitude-10-$seed-loss"; done | awk '{ s += $1 } END { printf "%.2f", 100 * s / NR }')
	printf '\n### %s\n\nAccuracy in percent on the 10,000 test images. Before the cut: %s %%.\n' "$net" "$whole"
	table "$net" accuracies
	printf '\nLoss on the training set (cross-entropy), which is what the scores are about.\n'
	table "$net" losses
done
