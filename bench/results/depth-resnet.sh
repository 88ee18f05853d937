#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Rectifiers and layers that resnet-20 can do without on cifar10-jpeg: by TLC, by EASIER, by dynamic programming over what layers take, and at random
# cifar10-jpeg is a lossy copy of CIFAR-10. `straight` takes rectifiers away, TLC several at once where it can, and trains EPOCHS (2) each time, until 6 and 9
# are gone; `fold` merges what can be merged. `shorten` trains as long at once as `straight` does for six. Then each result trains FINISH (24) epochs. The whole network teaches all of them:
# 0.7 of the loss. NET: the network (resnet-20); DENSE: epochs of its training (40), or a file FOLDER/dense-SEED.cop that is there; LIMIT: samples of the training set; WITH: further options of
# every training, such as --bf16; ONLY: some of tlc easier random loss-1 loss-2 random-1 random-2; MOST: the most rectifiers that go (9). Hours on two cores; it goes on where it was stopped, and
# prints the rows that there are.
set -u
bin=$1 folder=$2
net=${NET:-resnet-20} epochs=${EPOCHS:-2} dense=${DENSE:-40} finish=${FINISH:-24} limit="${LIMIT:+--limit $LIMIT}" data="--data cifar10-jpeg"
few=${FEW:-6} many=${MANY:-9} most=${MOST:-9} # of the 19 rectifiers of resnet-20
only=" ${ONLY:-tlc easier random loss-1 loss-2 random-1 random-2} "

shorten() { echo "  - shorten: {latency: $2, target: cortex-m4, by: $1, epochs: $((few * epochs)), may_cost: 100, must_gain: 0}"; }
recipe() { # NAME, the stages on stdin
	{ printf 'name: %s\nstages:\n' "$1"; cat; } >"$folder/$1.yaml"
}
for by in tlc easier random; do
	echo "  - straight: {by: $by, epochs: $epochs, may_cost: 100, must_gain: 0}" | recipe "$by"
done
for by in loss random; do
	shorten "$by" 0.77 | recipe "shorten-$by-1"
	shorten "$by" 0.67 | recipe "shorten-$by-2"
done
echo "  - fold: {may_cost: 100, must_gain: 0}" | recipe fold
echo "  - train: {epochs: $finish, may_cost: 100, must_gain: 0}" | recipe finish
wanted() { case $only in *" $1 "*) ;; *) return 1 ;; esac; }

compress() { # FROM RECIPE TO SEED RATE
	[ -s "$3.json" ] || {
		"$bin" compress "$1.cop" --recipe "$folder/$2.yaml" $data $limit ${WITH:-} --lr "$5" --schedule cosine --policies "distill:teacher=$folder/dense-$4.cop part=0.7 standardise=no temperature=3" --seed="$4" --threads 1 --resume --json -o "$3.cop" >"$3.part" 2>"$3.log" && mv "$3.part" "$3.json"
	} || { cat "$3.log" >&2; return 1; }
}

field() { sed 's/.*"'"$2"'":\([-0-9][-0-9.e]*\).*/\1/' "$1"; }
count() { "$bin" inspect "$1" | grep -c "^$2 "; }

# How many rectifiers, the way, the seed
straight() {
	at=$folder/dense-$3 from=$at step=0
	while [ $(($(count "$at.cop" clip) - $(count "$from.cop" clip))) -lt "$1" ]; do
		step=$((step + 1))
		compress "$from" "$2" "$folder/$2-step$step-$3" "$3" 0.02 || return 1
		from=$folder/$2-step$step-$3
	done
	compress "$from" fold "$folder/$2-$1-folded-$3" "$3" 0.02 && compress "$folder/$2-$1-folded-$3" finish "$folder/$2-$1-finished-$3" "$3" 0.02
}

for seed in $SEEDS; do
	at=$folder/dense-$seed
	[ -s "$at.cop" ] || "$bin" train "$net" $data $limit ${WITH:-} --epochs "$dense" --seed="$seed" --threads 1 --resume --quiet -o "$at.cop" >&2 || exit 1
	[ -s "$at.json" ] || { "$bin" eval "$at.cop" $data $limit --json >"$at.part" && mv "$at.part" "$at.json"; } || exit 1
	for n in $few $many; do
		for by in tlc easier random; do
			! wanted "$by" || [ "$n" -gt "$most" ] || straight "$n" "$by" "$seed" || exit 1
		done
	done
	for way in loss-1 loss-2 random-1 random-2; do
		wanted "$way" || continue
		compress "$at" "shorten-$way" "$folder/shorten-$way-$seed" "$seed" 0.02 && compress "$folder/shorten-$way-$seed" finish "$folder/shorten-$way-finished-$seed" "$seed" 0.02 || exit 1
	done
done

macs() { "$bin" inspect "$1" | sed -n 's/^operations, one sample *\([0-9,]*\) multiply.*/\1/p' | tr -d ,; }
milliseconds() {
	for i in 1 2 3; do
		"$bin" bench "$1" --batch 1 --threads 1 --seconds 0.3 --json | sed 's/.*"milliseconds_least":\([0-9.]*\).*/\1/'
	done | sort -g | head -1
}

row() { # LABEL NAME
	for seed in $SEEDS; do [ -s "$folder/$2-$seed.json" ] || return 0; done
	for seed in $SEEDS; do
		at=$folder/$2-$seed whole=$folder/dense-$seed
		echo "$(field "$at.json" accuracy) $(field "$whole.json" accuracy) $(count "$at.cop" clip) $(count "$whole.cop" clip) $(($(count "$at.cop" conv) + $(count "$at.cop" fc))) $(($(count "$whole.cop" conv) + $(count "$whole.cop" fc))) $(macs "$at.cop") $(macs "$whole.cop") $(milliseconds "$at.cop") $(milliseconds "$whole.cop")"
	done | awk -v label="$1" '
		function note(k, v) { sum[k] += v; if (n == 1 || v < lo[k]) lo[k] = v; if (n == 1 || v > hi[k]) hi[k] = v }
		function span(k) { return lo[k] == hi[k] ? lo[k] : lo[k] " to " hi[k] }
		{ n++; note("acc", 100 * $1); note("drop", 100 * ($2 - $1)); note("rect", $4 - $3); note("layers", $6 - $5); note("macs", $7 / $8); note("time", $10 / $9); rectifiers = $4; layers = $6 }
		END { printf "| %s | %.2f (%.2f to %.2f) | %.2f | %s of %d | %s of %d | %.2f | %.2fx |\n", label, sum["acc"] / n, lo["acc"], hi["acc"], sum["drop"] / n, span("rect"), rectifiers, span("layers"), layers, sum["macs"] / n, sum["time"] / n }'
}
cat <<TEXT
Accuracy in percent on the test images of cifar10-jpeg, a lossy copy of CIFAR-10, mean and least to most over the seeds; the whole network, $net, has $(for seed in $SEEDS; do field "$folder/dense-$seed.json" accuracy; done | awk '{ s += $1 } END { printf "%.2f", 100 * s / NR }'). Drop: points less than that.
Rectifiers and layers: how many are gone. MACs: the part that is left. Faster: one sample on one thread, against the whole network, the least of three times. \`shorten\` was asked for 0.77 and 0.67 of the instructions of a Cortex-M4.
\`straight\` trains $epochs epochs each time, \`shorten\` $((few * epochs)); "trained on": $finish epochs more.

| by | accuracy | drop | rectifiers | layers | MACs | faster |
|---|---|---|---|---|---|---|
TEXT
rows() { # LABEL NAME NAME-OF-TRAINED-ON
	row "$1" "$2"
	row "$1, trained on" "$3"
}
for n in $few $many; do
	rows "TLC, at least $n rectifiers, and fold" "tlc-$n-folded" "tlc-$n-finished"
	rows "EASIER, $n rectifiers, and fold" "easier-$n-folded" "easier-$n-finished"
	rows "$n rectifiers at random, and fold" "random-$n-folded" "random-$n-finished"
done
for i in 1 2; do
	part=$([ $i = 1 ] && echo 0.77 || echo 0.67)
	rows "shorten, $part" "shorten-loss-$i" "shorten-loss-$i-finished"
	rows "shorten at random, $part" "shorten-random-$i" "shorten-random-$i-finished"
done
