#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Lottery tickets of LeNet-300-100 on MNIST: how fast and how far a ticket trains, against the whole network and against its own mask with weights drawn anew
# Rounds of EPOCHS (8) epochs with Adam, 1.2e-3, batches of 60; each cut takes 20 % of what is left, 10 % of the last layer. The weights return to those of the beginning.
# seeds: 1 2 3 4 5
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-8}
controls=${ONLY:-7 9 15} # after how many cuts the control is run

# ROUNDS REDRAW SEED: the log of a run, an epoch a line
run() {
	at=$folder/$1-$2-$3-$epochs
	[ ! -s "$at.csv" ] || return 0
	all=$((($1 + 1) * epochs))
	awk -v r="$1" -v d="$2" -v e="$all" 'BEGIN { printf "name: lottery\nstages:\n  - prune: {keep: {fc3*: %.5f, \"*\": %.5f}, scope: layer, schedule: tickets, rounds: %d, redraw: %s, epochs: %d, update: adam, lr: 0.0012, may_cost: 100, must_gain: 0}\n", 0.9 ^ r, 0.8 ^ r, r, d, e }' >"$at.yaml"
	"$bin" compress lenet-300-100 --recipe "$at.yaml" --data mnist --seed="$3" --threads 1 --batch 60 --schedule constant --augment none --resume --quiet --log "$at.part" -o "$at.cop" >&2 && mv "$at.part" "$at.csv"
}

# FILE ROUND: accuracies on the validation set, in percent, of the epochs of a round (from 0)
accuracies() {
	awk -F, -v first=$(($2 * epochs)) -v n="$epochs" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "accuracy") at = i; next } NR - 2 >= first && NR - 2 < first + n { print 100 * $at }' "$1"
}

# LABEL ROUNDS REDRAW ROUND: a row, over the seeds
row() {
	for seed in $SEEDS; do accuracies "$folder/$2-$3-$seed-$epochs.csv" "$4"; done | awk -v n="$epochs" -v label="$1" '
		function note(k, v) { sum[k] += v; if (times == 0 || v < lo[k]) lo[k] = v; if (times == 0 || v > hi[k]) hi[k] = v }
		{ e = (NR - 1) % n; if (e == 0) { first = best = $1; when = 1 } else if ($1 > best) { best = $1; when = e + 1 } }
		e == n - 1 { note(1, first); note(2, best); note(3, when); note(4, $1); times++ }
		END { printf "| %s | %.2f (%.2f to %.2f) | %.2f (%.2f to %.2f) | %.1f | %.2f |\n", label, sum[1] / times, lo[1], hi[1], sum[2] / times, lo[2], hi[2], sum[3] / times, sum[4] / times }'
}

for seed in $SEEDS; do
	run 15 no "$seed" || exit 1
	for rounds in $controls; do run "$rounds" yes "$seed" || exit 1; done
done
cat <<TEXT
Accuracy in percent on 5,000 images that were held out of the training set: mean, and least to most over the seeds. A round has $epochs epochs of 55,000 images.
A ticket is a mask with the weights of the beginning under it; "drawn anew" is the same mask with those weights dealt out to other places.

| network | after one epoch | best epoch | which it is | last epoch |
|---|---|---|---|---|
TEXT
row "whole" 15 no 0
for level in "7 21.0" "9 13.4" "15 3.5"; do
	set -- $level
	row "ticket, $2 % of the weights" 15 no "$1"
	case " $controls " in *" $1 "*) row "the same mask, drawn anew" "$1" yes "$1" ;; esac
done
