#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Magnitude pruning of LeNet-300-100 after training with L1 and L2, without and with retraining and in rounds; and movement against magnitude in a transfer
# The five curves are those of Han et al. 2015, figure 5: one threshold for all layers; retraining is EPOCHS (6) epochs at a tenth of the rate, cut before them or
# in five rounds over the first 60 % of them. The transfer takes a network of MNIST to Fashion-MNIST in as many epochs, in which it is cut, layer by layer.
set -u
bin=$1 folder=$2 epochs=${EPOCHS:-6}
parts="0.5 0.2 0.1 0.05 0.03 0.02" transfer_parts="0.15 0.1 0.05 0.03"

# NAME NETWORK DATA SEED STAGE: the accuracy of the result, in NAME-SEED.json
cell() {
	at=$folder/$1-$4
	[ -s "$at.json" ] && return
	printf 'name: cell\nstages:\n  - %s\n' "$5" >"$at.yaml"
	[ "$3" = mnist ] && classes= || classes="--classes $folder/classes.txt"
	"$bin" compress "$folder/$2-$4.cop" --recipe "$at.yaml" --data "$3" $classes --seed="$4" --threads 1 --quiet --json -o "$at.cop" >"$at.part" 2>"$at.err" || { cat "$at.err" >&2; return 1; }
	mv "$at.part" "$at.json"
	rm -f "$at.cop" "$at.history.json" "$at.yaml" "$at.err"
}

# NAME SEED OPTIONS...: a trained network
dense() {
	at=$folder/$1-$2.cop seed=$2
	shift 2
	[ -s "$at" ] || "$bin" train lenet-300-100 --data mnist --seed="$seed" --threads 1 --resume --quiet "$@" -o "$at" >&2
}

terms="may_cost: 100, must_gain: 0"
printf '%s\n' T-shirt Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag Ankle-boot >"$folder/classes.txt"
for seed in $SEEDS; do
	dense l2 "$seed" || exit 1
	dense l1 "$seed" --update "sgd momentum=0.9" --policies "l1:strength=1e-4" || exit 1
	for keep in $parts; do
		for norm in l1 l2; do
			cell "$norm-no-$keep" $norm mnist "$seed" "prune: {keep: $keep, schedule: once, train: no, $terms}" || exit 1
			cell "$norm-once-$keep" $norm mnist "$seed" "prune: {keep: $keep, schedule: once, epochs: $epochs, lr: 0.005, $terms}" || exit 1
		done
		cell "l2-rounds-$keep" l2 mnist "$seed" "prune: {keep: $keep, schedule: iterative, rounds: 5, over: 0.6, epochs: $epochs, lr: 0.005, $terms}" || exit 1
		cell "random-once-$keep" l2 mnist "$seed" "prune: {by: random, keep: $keep, schedule: once, epochs: $epochs, lr: 0.005, $terms}" || exit 1
	done
	cell transfer-all l2 fashion-mnist "$seed" "train: {epochs: $epochs, lr: 0.02, $terms}" || exit 1
	for keep in $transfer_parts; do
		for by in magnitude movement random; do
			cell "transfer-$by-$keep" l2 fashion-mnist "$seed" "prune: {by: $by, keep: $keep, scope: layer, schedule: cubic, every: 1, over: 0.7, epochs: $epochs, lr: 0.02, $terms}" || exit 1
		done
	done
done

# What "FIELD":number says in each JSON on stdin; lists of that name are passed over
numbers() { sed 's/.*"'"$1"'":\([-0-9][-0-9.e]*\).*/\1/'; }

# LABEL NAME PARTS: a row
row() {
	printf '| %s |' "$1"
	for keep in $3; do
		for seed in $SEEDS; do cat "$folder/$2-$keep-$seed.json"; done | numbers accuracy |
			awk '{ v = 100 * $1; sum += v; if (!n || v < lo) lo = v; if (!n || v > hi) hi = v; n++ } END { if (n == 1) printf " %.2f |", sum; else printf " %.2f (%.2f to %.2f) |", sum / n, lo, hi }'
	done
	echo
}

# "FILE field": its mean over the seeds in percent
field() { for seed in $SEEDS; do cat "$folder/$1-$seed.json"; done | numbers "$2" | awk '{ sum += 100 * $1; n++ } END { printf "%.2f %%", sum / n }'; }

head_of() {
	printf '\n| %s |' "$1"
	for keep in $2; do awk -v k="$keep" 'BEGIN { printf " %g %% kept |", 100 * k }'; done
	printf '\n|---|'
	for keep in $2; do printf -- '---|'; done
	echo
}

cat <<TEXT
Accuracies in percent on the 10,000 test images: mean, and least to most over the seeds. Retraining is $epochs epochs.

**Five curves.** LeNet-300-100 on MNIST. Dense: $(field l2-no-0.5 accuracy_before) trained with L2 (weight decay 5e-4), $(field l1-no-0.5 accuracy_before) with L1 (steps towards zero of 1e-4 times the rate).
TEXT
head_of "trained with, then" "$parts"
row "L1, cut" l1-no "$parts"
row "L2, cut" l2-no "$parts"
row "L1, cut and retrained" l1-once "$parts"
row "L2, cut and retrained" l2-once "$parts"
row "L2, cut in rounds and retrained" l2-rounds "$parts"
row "L2, random choice, cut and retrained" random-once "$parts"
printf '\n**Transfer.** LeNet-300-100 from MNIST to Fashion-MNIST. Not pruned: %s.\n' "$(field transfer-all accuracy)"
head_of "score" "$transfer_parts"
for by in magnitude movement random; do row "\`$by\`" "transfer-$by" "$transfer_parts"; done
