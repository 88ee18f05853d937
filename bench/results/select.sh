#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Neurons chosen under a budget of 8.8, 21.2 and 30.8 % of the weights: by velocity, by chance, by gradient, in good layers; and layers and neurons under a budget of 50 and 70 % of a step's time; accuracy beside that of training all, and CPU time of a step
# A small LeNet-5 with batch norm (6 and 16 filters) learns clothes first (Fashion-MNIST, LIMIT (10000) samples, EPOCHS (5) epochs), and then, with a new last layer, digits (MNIST, as many of each) within the budget. ONLY=resnet-8 takes
# that network and cifar10-jpeg, a lossy copy of CIFAR-10, both times half of it, instead. As published: no momentum, no decay. Budgets of time are tried on ResNet-8, which
# learns digits first and then clothes, with the first seed alone.
set -u
bin=$1 folder=$2
net=${ONLY:-lenet-5} epochs=${EPOCHS:-5} limit=${LIMIT:-10000}
case $net in lenet-5) first=fashion-mnist then=mnist file=$folder/lenet-5.txt ;; *) first=cifar10-jpeg then=cifar10-jpeg file=$net ;; esac
printf 'input 28 28 1\nconv 6 5x5 pad valid norm relu\nmaxpool 2\nconv 16 5x5 pad valid norm relu\nmaxpool 2\nfc 64 relu\nfc 10\n' >"$folder/lenet-5.txt"

before() { # SEED
	at=$folder/$net-before-$1
	[ -s "$at.cop" ] && return
	"$bin" train "$file" --data "$first" --limit "$limit" --epochs "$epochs" --lr 0.05 --batch 32 --augment none --threads 1 --seed "$1" --valid no --quiet -o "$at.first.cop" >/dev/null &&
		"$bin" apply "$at.first.cop" "head:classes=10" -o "$at.cop" >/dev/null
}

# NAME SEED [POLICIES]: trains further and scores, once; what is said on the way stays, too
trained() {
	at=$folder/$net-$1-$2
	[ -s "$at.said" ] && return
	"$bin" train "$folder/$net-before-$2.cop" --data "$then" --limit "$limit" --epochs "$epochs" --lr 0.05 --batch 32 --update "sgd momentum=0" --augment none ${3:+--policies "$3"} --threads 1 --seed "$2" \
		--valid no --verbose --log "$at.csv" -o "$at.cop" >/dev/null 2>"$at.err" || { cat "$at.err" >&2; return 1; }
	"$bin" eval "$at.cop" --data "$then" --threads 1 | awk '/^accuracy/ { print $2 }' >"$at.part" && mv "$at.part" "$at.said" && rm -f "$at.cop"
}

train_all() { # SEED
	before "$1" && trained all "$1" && trained none "$1" "neq:eps=2,warmup=1" || return 1
	for part in 8.8 21.2 30.8; do
		for by in velocity random gradient tra-dy; do trained "$by-$part" "$1" "select:by=$by,budget=$part%" || return 1; done
	done
}

costs() { awk -F, 'NR > 1 { f += $8; b += $9; p += $10; t += $11; n++ } END { print f / n, b / n, p / n, t / n }' "$1"; }

row() { # LABEL NAME
	for s in $SEEDS; do
		echo "$(cat "$folder/$net-$2-$s.said") $(cat "$folder/$net-all-$s.said") $(costs "$folder/$net-$2-$s.csv") $(costs "$folder/$net-all-$s.csv")"
	done | awk -v label="$1" '
		{ d = $1 - $2; a += $1; all += d; f += 1 - $3; b += 1 - $4; p += 1 - $5; t += $6; w += $10; if (NR == 1 || d < lo) lo = d; if (NR == 1 || d > hi) hi = d }
		END {
			printf "| %s | %.2f %% | %+.2f (%+.2f to %+.2f) | %.1f %% | %.1f %% | %.1f %% | %.2f ms | ", label, a / NR, all / NR, lo, hi, 100 * p / NR, 100 * b / NR, 100 * f / NR, t / NR
			if (f > 0) printf "%.0f %% |\n", 100 * (1 - t / w) / (f / NR); else print "|"
		}'
}

for seed in $SEEDS; do train_all "$seed" || exit 1; done
cat <<TEXT
$net, $epochs epochs on $limit samples of $first, then as many of $then$([ "$then" = cifar10-jpeg ] && echo ', a lossy copy of CIFAR-10'); accuracy on the test part of $then, mean over the seeds, and the difference to training all with the same seed. The budget is a part of the weights before the last layer, which is always
trained. Where velocities choose, the first epoch is by chance. *Saved* and *confirmed* are those of [equilibrium](equilibrium.md).

| trained | accuracy | points | saved, published | saved, backward | saved, step | CPU time of a step | confirmed |
|---|---:|---:|---:|---:|---:|---:|---:|
TEXT
row "all" all
row "all for an epoch, then the last layer alone" none
for part in 8.8 21.2 30.8; do
	for by in velocity random gradient tra-dy; do row "\`by=$by,budget=$part%\`" "$by-$part"; done
done

# ---- budgets of time ----

seed=${SEEDS%% *} net=timed first=mnist then=fashion-mnist file=resnet-8 epochs=4 limit=5000
ways="elastic random-layers velocity gradient random"
before "$seed" && trained all "$seed" && trained none "$seed" "neq:eps=2,warmup=1" || exit 1
for part in 50 70; do
	for by in $ways; do trained "$by-$part-ms" "$seed" "select:by=$by,budget=$part%ms" || exit 1; done
done

quickest() { awk -F, 'NR > 1 && (!least || $11 < least) { least = $11 } END { print least }' "$1"; }

timed_row() { # LABEL NAME
	at=$folder/$net-$2-$seed all=$folder/$net-all-$seed
	said=$(awk '/a step should take/ { for (i = 1; i < NF; i++) if ($i == "take") { t += $(i + 1); n++ } } END { if (n) printf "%.2f ms", t / n }' "$at.err")
	echo "$(cat "$at.said") $(cat "$all.said") $(quickest "$at.csv") $(quickest "$all.csv") $(costs "$at.csv")" | awk -v label="$1" -v said="$said" '
		{ printf "| %s | %.2f %% | %+.2f | %.1f %% | %s | %.2f ms | %.0f %% |\n", label, $1, $1 - $2, 100 * (1 - $5), said, $3, 100 * $3 / $4 }'
}

cat <<TEXT

Budgets of time: $file, $epochs epochs on $limit samples of $first, then as many of $then, seed $seed alone, one thread. The budget is a part of the time of a step that trains all. *Said* is what a step should take, by the
measurement at the start; then follow the CPU time of a step, the mean of the quickest epoch, and which part it is of that of a step that trains all.

| trained | accuracy | points | saved, step | said | CPU time of a step | of all |
|---|---:|---:|---:|---:|---:|---:|
TEXT
timed_row "all" all
timed_row "all for an epoch, then the last layer alone (the time of a later epoch)" none
for part in 50 70; do
	for by in $ways; do timed_row "\`by=$by,budget=$part%ms\`" "$by-$part-ms"; done
done
