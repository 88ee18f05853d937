#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Which layers an int8 LeNet-5 trains on a device after its pictures became dark: chosen by knapsack, evolution or chance at the same RAM, against the last layer alone
# The network learns `synth-digits` (drawn digits) as floats and is quantised. The new pictures are the same with a fifth of the brightness: 1,000 to learn from, and the test part's
# first 1,000. One sample a step, EPOCHS (3). `coppice adapt` finds the rate. RAM is that of a step on a Cortex-M4, stack within.
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-3} dark=${DARK:-0.2}

base() { # SEED
	net=$folder/net-$1.cop
	[ -s "$net" ] || {
		"$bin" train lenet-5 --data synth-digits --limit 4000 --epochs 4 --threads 1 --seed "$1" --valid no -q -o "$folder/float-$1.cop" &&
			"$bin" quantize "$folder/float-$1.cop" --data synth-digits --limit 200 --threads 1 -q -o "$net.part.cop" && mv "$net.part.cop" "$net"
	} || exit 1
}

learn() { # NAME SEED OPTIONS
	at=$folder/$1-$2 name=$1 seed=$2
	shift 2
	[ -s "$at.json" ] || {
		"$bin" adapt "$folder/net-$seed.cop" --data synth-digits --times "$dark" --limit 1000 --valid test --epochs "$epochs" --threads 1 --seed "$seed" "$@" --json -o "$at.cop" 2>"$at.log" | tail -1 >"$at.part" &&
			grep -q '"accuracy"' "$at.part" && mv "$at.part" "$at.json"
	} || { echo "$name, seed $seed:" >&2; cat "$at.log" >&2; exit 1; }
}

figure() { sed "s/.*\"$2\":\([0-9.e+-]*\).*/\1/" "$1"; }

row() { # LABEL NAME OPTIONS
	label=$1 name=$2
	shift 2
	for seed in $SEEDS; do
		base "$seed"
		learn "$name" "$seed" "$@"
		echo "$(figure "$folder/$name-$seed.json" accuracy_before) $(figure "$folder/$name-$seed.json" accuracy) $(figure "$folder/$name-$seed.json" ram_bytes)"
	done | awk -v label="$label" '
		{ before += $1; v = 100 * $2; s += v; if (NR == 1 || v < lo) lo = v; if (NR == 1 || v > hi) hi = v; if ($3 > ram) ram = $3 }
		END { if (!NR) exit 1; printf "| %s | %.1f KB | %.2f %% | %.2f %% (%.2f to %.2f) |\n", label, ram / 1024, 100 * before / NR, s / NR, lo, hi }' || exit 1
}

cat <<TEXT
Accuracy on dark pictures ($dark of the brightness), before and after $epochs epochs: mean, and least to most over the seeds. RAM is the most of the seeds.

| layers | RAM of a step | before | after |
|---|---|---|---|
TEXT
row "the last layer alone" head --train "fc2.*"
for ram in 28K 72K; do
	for way in knapsack evolution random; do row "$way, at most $ram" "$way-$ram" --ram "$ram" --choose "$way"; done
done
exit 0
