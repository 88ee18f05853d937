#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Neurons at equilibrium, rates that are learnt, both, and a threshold that is learnt: accuracy, operations and CPU time that are saved, and how much of what is counted time confirms
# LeNet-5 on LIMIT (10000) samples of Fashion-MNIST for EPOCHS (10) epochs; ONLY=resnet-20 takes that network on cifar10-jpeg, a lossy copy of CIFAR-10, instead. Each epoch trains by
# sgd with momentum 0.9, on one thread. EPS (0.02): the threshold. CPU time of a step is taken from the log; a plain training of the same seed is what it is compared with.
set -u
bin=$1 folder=$2
net=${ONLY:-lenet-5}
case $net in lenet-5) data=fashion-mnist epochs=${EPOCHS:-10} limit=${LIMIT:-10000} lr=0.02 ;; *) data=cifar10-jpeg epochs=${EPOCHS:-20} limit=${LIMIT:-10000} lr=0.1 ;; esac
eps=${EPS:-0.02}
sgd="sgd momentum=0.9 decay=5e-4"
learnt="$sgd learn=lr by=(sgd momentum=0 lr=1e-5)"

# NAME SEED SCHEDULE UPDATE [POLICIES]: trains and scores, once
trained() {
	at=$folder/$net-$1-$2
	[ -s "$at.said" ] && return
	"$bin" train "$net" --data "$data" --limit "$limit" --epochs "$epochs" --lr "$lr" --schedule "$3" --update "$4" ${5:+--policies "$5"} --threads 1 --seed "$2" --valid no --quiet \
		--log "$at.csv" -o "$at.cop" >/dev/null || return 1
	"$bin" eval "$at.cop" --data "$data" --threads 1 | awk '/^accuracy/ { print $2 }' >"$at.part" && mv "$at.part" "$at.said" && rm -f "$at.cop"
}

train_all() { # SEED
	trained plain "$1" cosine "$sgd" && trained neq "$1" cosine "$sgd" "neq:eps=$eps" && trained rate "$1" cosine "$sgd" "neq:eps=$eps,threshold=rate" &&
		trained part "$1" cosine "$sgd" "neq:threshold=part,part=0.4" && trained random "$1" cosine "$sgd" "select:by=random,budget=60%" &&
		trained constant "$1" constant "$sgd" && trained ultimate "$1" constant "$learnt" && trained both "$1" constant "$learnt" "neq:eps=$eps" &&
		trained learnt "$1" constant "$learnt" "neq:eps=$eps,threshold=learnt" || return 1
	for e in 0.02 0.05 0.1; do trained "steps-$e" "$1" constant "$learnt" "neq:eps=$e,threshold=steps" || return 1; done
}

# Of a log: means of flops, backward and published over its epochs, and of the CPU time of a step
costs() { awk -F, 'NR > 1 { f += $8; b += $9; p += $10; t += $11; n++ } END { print f / n, b / n, p / n, t / n }' "$1"; }

row() { # LABEL NAME PLAIN
	for s in $SEEDS; do
		echo "$(cat "$folder/$net-$2-$s.said") $(cat "$folder/$net-$3-$s.said") $(costs "$folder/$net-$2-$s.csv") $(costs "$folder/$net-$3-$s.csv")"
	done | awk -v label="$1" -v same="$([ "$2" = "$3" ] && echo 1)" '
		{ d = $1 - $2; a += $1; all += d; f += 1 - $3; b += 1 - $4; p += 1 - $5; t += $6; w += $10; if (NR == 1 || d < lo) lo = d; if (NR == 1 || d > hi) hi = d }
		END {
			printf "| %s | %.2f %% | ", label, a / NR
			if (same) printf "| "; else printf "%+.2f (%+.2f to %+.2f) | ", all / NR, lo, hi
			printf "%.1f %% | %.1f %% | %.1f %% | %.2f ms | ", 100 * p / NR, 100 * b / NR, 100 * f / NR, t / NR
			if (same || f <= 0) print "| |"; else printf "%.1f %% | %.0f %% |\n", 100 * (1 - t / w), 100 * (1 - t / w) / (f / NR)
		}'
}

for seed in $SEEDS; do train_all "$seed" || exit 1; done
cat <<TEXT
$net on $limit samples of $data$([ "$data" = cifar10-jpeg ] && echo ', a lossy copy of CIFAR-10'), $epochs epochs, batches of the network's default size; accuracy on the test part, mean over the seeds, and the difference to the training of the same rule, schedule and seed that trains all neurons, its
mean, least and most. *Published*: operations of the backward pass, where both products of a layer are counted as saved. *Backward*: of the backward pass and the updates as executed. *Step*: of a whole step, forward too. *Time*: CPU time of a step, the
measurements between epochs not included. *Confirmed*: time that is saved, as a part of the operations of a step that are.

| training | accuracy | points | saved, published | saved, backward | saved, step | CPU time of a step | time saved | confirmed |
|---|---:|---:|---:|---:|---:|---:|---:|---:|
TEXT
row "all neurons, rate falls along a cosine" plain plain
row "\`neq:eps=$eps\`" neq plain
row "\`neq:eps=$eps,threshold=rate\`" rate plain
row "\`neq:threshold=part,part=0.4\`" part plain
row "\`select:by=random,budget=60%\`" random plain
row "all neurons, constant rate" constant constant
row "rate learnt (\`by=\`)" ultimate ultimate
row "rate learnt, \`neq:eps=$eps\`" both ultimate
row "rate learnt, \`neq:eps=$eps,threshold=learnt\`" learnt ultimate
for e in 0.02 0.05 0.1; do row "rate learnt, \`neq:eps=$e,threshold=steps\` (SCoTTi)" "steps-$e" ultimate; done
for e in 0.02 0.05 0.1; do row "the same, \`eps=$e\`, against all neurons at the rate that falls" "steps-$e" plain; done
