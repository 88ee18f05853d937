#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Rates that are learnt while training, by rules of updates one above the other, against rules with a rate of their own; 784-128-10 on MNIST
# Batches of 256, no augmentation, all 60,000 training images, a rate that does not fall unless a row says so. EPOCHS: of all but the first table (5);
# that has six times as many, and all seeds; the others have the first two. LIMIT: samples of the training set.
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-5} limit=${LIMIT:+--limit $LIMIT}
printf 'input 28 28 1\nfc 128 tanh\nfc 10 tanh\n' >"$folder/net.txt" # tanh at the end, too, as in the paper
sgd="sgd momentum=0"
few=$(echo $SEEDS | cut -d' ' -f1-2) # of all but the first table
over_sgd="$sgd lr=0.01" over_adam="$sgd lr=1e-5"

# EPOCHS RATE SCHEDULE UPDATE SEED: the name of the file with the result
run() {
	at=$folder/$(echo "$1-$2-$3-$4-$5" | tr -c 'a-zA-Z0-9.\n-' _)
	[ -s "$at.json" ] || {
		if "$bin" train "$folder/net.txt" --data mnist $limit --epochs "$1" --batch 256 --lr "$2" --schedule "$3" --update "$4" --augment none --smooth 0 --valid no \
			--seed="$5" --threads 1 --resume --quiet -o "$at.cop" 2>"$at.log"; then
			"$bin" eval "$at.cop" --data mnist $limit --json >"$at.part" 2>>"$at.log" || { cat "$at.log" >&2; return 1; }
		else
			grep -q "the loss became" "$at.log" || { cat "$at.log" >&2; return 1; }
			echo diverged >"$at.part"
		fi
		mv "$at.part" "$at.json"
		rm -f "$at.cop"
	}
	echo "$at.json"
}

# EPOCHS RATE SCHEDULE UPDATE SEED...: the error, mean and range over the seeds; its mean is left in the file "last"
cell() {
	of=$1 rate=$2 how=$3 rule=$4
	shift 4
	for seed in "$@"; do
		file=$(run "$of" "$rate" "$how" "$rule" "$seed") || exit 1
		sed 's/.*"accuracy":\([0-9.]*\).*/\1/' "$file"
	done | awk -v last="$folder/last" '
		/diverged/ { gone++; next }
		{ e = 100 - 100 * $1; s += e; n++; if (n == 1 || e < lo) lo = e; if (n == 1 || e > hi) hi = e }
		END {
			if (gone) printf "%d of %d diverged", gone, gone + n; else printf "%.2f (%.2f to %.2f)", s / n, lo, hi
			print gone ? 90 : s / n >last
		}'
}

row() { # LABEL SCHEDULE UPDATE RATE...
	label=$1 schedule=$2 update=$3
	shift 3
	printf '| %s |' "$label"
	: >"$folder/all"
	for rate in "$@"; do
		printf ' %s |' "$(cell "$epochs" "$rate" "$schedule" "$update" $few)"
		cat "$folder/last" >>"$folder/all"
	done
	awk '{ s += $1 } END { printf " %.2f |\n", s / NR }' "$folder/all"
}

own_row() { # SCHEDULE UPDATE RATE RATE RATE
	row "\`$2\`, $1: $3, $4, $5" "$@"
}

long() { # LABEL RATE UPDATE PUBLISHED
	printf '| %s | %s | %s | %s |\n' "$1" "$2" "$(cell $((6 * epochs)) "$2" constant "$3" $SEEDS)" "$4"
}

cat <<TEXT
Test error in percent, mean and range over the seeds. \`A / B\` is rule A whose numbers rule B learns, \`--update "A by=(B)"\`. The rate above sgd is 0.01 at any height; above adam it is 1e-5, above that 1e-9, and 1e-13.

## As in the paper

$((6 * epochs)) epochs, seeds $SEEDS. Published: Chandra et al. 2022.

| rule | rate at first | error | published |
|---|---|---|---|
TEXT
long "sgd" 0.01 "$sgd" "9.0"
long "sgd / sgd" 0.01 "$sgd by=($over_sgd)" "4.8"
long "adam" 0.001 "adam" "4.7"
long "adam / sgd" 0.001 "adam by=($over_adam)" "3.0"
cat <<TEXT

## Whatever the rate is at first

$epochs epochs, seeds $few. The last column is the mean of the row: what to expect of a rate that is drawn at random from the four. A run that diverges counts as 90 there.

| rule | 0.001 | 0.01 | 0.1 | 1 | at random |
|---|---|---|---|---|---|
TEXT
row "sgd" constant "$sgd" 0.001 0.01 0.1 1
row "sgd / sgd" constant "$sgd by=($over_sgd)" 0.001 0.01 0.1 1
row "sgd / sgd / sgd" constant "$sgd by=($over_sgd by=($over_sgd))" 0.001 0.01 0.1 1
row "sgd / sgd / sgd / sgd" constant "$sgd by=($over_sgd by=($over_sgd by=($over_sgd)))" 0.001 0.01 0.1 1
printf '\n| rule | 0.00001 | 0.0001 | 0.001 | 0.01 | at random |\n|---|---|---|---|---|---|\n'
row "adam" constant "adam" 1e-5 1e-4 1e-3 1e-2
row "adam / sgd" constant "adam by=($over_adam)" 1e-5 1e-4 1e-3 1e-2
row "adam / sgd / sgd, 1e-5 there, too" constant "adam by=($over_adam by=($over_adam))" 1e-5 1e-4 1e-3 1e-2
row "adam / sgd / sgd" constant "adam by=($over_adam by=($sgd lr=1e-9))" 1e-5 1e-4 1e-3 1e-2
row "adam / sgd / sgd / sgd" constant "adam by=($over_adam by=($sgd lr=1e-9 by=($sgd lr=1e-13)))" 1e-5 1e-4 1e-3 1e-2
cat <<TEXT

## Rules with a rate of their own

$epochs epochs, seeds $few, three rates each, a decade apart.

| rule, schedule, rates | low | middle | high | at random |
|---|---|---|---|---|
TEXT
own_row cosine "sgd momentum=0.9" 0.01 0.1 1
own_row cosine "adamw" 0.001 0.01 0.1
own_row constant "schedule-free" 0.1 1 10
own_row constant "schedule-free-adamw" 0.001 0.01 0.1
own_row constant "prodigy" 0.1 1 10
own_row cosine "muon ends" 0.005 0.05 0.5
own_row cosine "lion" 0.0001 0.001 0.01
