#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Neurons taken out of the 500 of LeNet-5's fully connected layer on MNIST without data and without training, in five ways
# ONLY="380 420": so many neurons alone. The network is trained without augmentation, with a decay of weights of 3e-3, EPOCHS (10) epochs. The neurons are gone from the network: what is measured is the narrower one.
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-10}
removed=${ONLY:-150 300 380 400 420 440 460 470}
ways="random naive ratio similar shared"

# WAY REMOVED SEED: accuracy before and after into a file of its own. REMOVED 0: as many as the rule says
run() {
	from=$folder/lenet-5-$3.cop at=$folder/$1-$2-$3
	[ -s "$from" ] || "$bin" train lenet-5 --data mnist --seed="$3" --threads 1 --augment none --epochs "$epochs" --update "sgd momentum=0.9 decay=3e-3" --resume --quiet -o "$from" >&2 || return 1
	[ ! -s "$at" ] || return 0
	keep=$(awk -v r="$2" 'BEGIN { print r ? (500 - r) / 500 : 0 }')
	printf 'name: data-free\nstages:\n  - similar: {by: %s, keep: %s, layers: fc1.w, may_cost: 100, must_gain: 0}\n' "$1" "$keep" >"$at.yaml"
	"$bin" compress "$from" --recipe "$at.yaml" --data mnist --seed="$3" --threads 1 --json -o "$at.cop" >"$at.json" || return 1
	left=$("$bin" inspect "$at.cop" --json | sed 's/.*"name":"fc1.w","shape":"1x\([0-9]*\)".*/\1/')
	echo "$(sed 's/.*"accuracy_before":\([0-9-][0-9.e-]*\).*/\1/' "$at.json") $(sed 's/.*"accuracy":\([0-9-][0-9.e-]*\).*/\1/' "$at.json") $left" >"$at"
	rm -f "$at.cop" "$at.history.json" "$at.yaml" "$at.json"
}

cell() {
	for seed in $SEEDS; do cat "$folder/$1-$2-$seed"; done |
		awk '{ v = 100 * $2; s += v; if (NR == 1 || v < lo) lo = v; if (NR == 1 || v > hi) hi = v } END { printf " %.2f (%.2f to %.2f) |", s / NR, lo, hi }'
}

for seed in $SEEDS; do
	for way in $ways; do
		for r in $removed; do run "$way" "$r" "$seed" || exit 1; done
	done
	for way in ratio similar shared; do run "$way" 0 "$seed" || exit 1; done
done
whole=$(for seed in $SEEDS; do cat "$folder/shared-0-$seed"; done | awk '{ s += $1 } END { printf "%.2f", 100 * s / NR }')
cat <<TEXT
Accuracy in percent on the 10,000 test images: mean, and least to most over the seeds. Before: $whole %, after $epochs epochs of training without augmentation and with a decay of 3e-3.
\`random\` and \`naive\` remove neurons and nobody stands for them. With \`similar\` the nearest neuron stands for one that goes, with \`ratio\` too, by the distance as it was published
(Srinivas and Babu 2015); with \`shared\` all that stay do.

| neurons removed of 500 | random | naive | ratio | similar | shared |
|---|---|---|---|---|---|
TEXT
for r in $removed; do
	printf '| %s |' "$r"
	for way in $ways; do cell "$way" "$r"; done
	echo
done
printf '\nLeft to the stopping rule (`keep: 0`):'
for way in ratio similar shared; do
	for seed in $SEEDS; do cat "$folder/$way-0-$seed"; done | awk -v way="$way" '{ n += 500 - $3; a += 100 * $2 } END { printf " `%s` removes %.0f neurons and has %.2f %%;", way, n / NR, a / NR }'
done
echo ' means over the seeds.'
