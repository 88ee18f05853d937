#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What compressed networks look at: maps of resnet-8 on cifar10-jpeg (a lossy copy of CIFAR-10) before and after compression, beside those of a network that was trained from another seed
# `coppice explain --before` on 48 test samples, for the class that the compressed network predicts. ONLY: kinds of compression. LIMIT: test samples for the accuracy.
set -u
bin=$1 folder=$2
data=cifar10-jpeg kinds=${ONLY:-w8a8 w4a8 w3a8 w4a4 pruned another}
limit=${LIMIT:-2000}

first=0 samples=
while [ $first -lt 48 ]; do
	samples="$samples $(seq -s , $first $((first + 23)))" # a call takes 24
	first=$((first + 24))
done

train() { # SEED
	[ -s "$folder/resnet-8-$1.cop" ] || "$bin" train resnet-8 --data $data --seed="$1" --threads 1 --resume --quiet -o "$folder/resnet-8-$1.cop" >&2
}

# SEED: the one behind it; behind the last the first
next() {
	for seed in $SEEDS ${SEEDS%% *}; do
		[ "$found" != yes ] || { echo "$seed"; return; }
		[ "$seed" != "$1" ] || found=yes
	done
}

# SEED KIND: the network after it
make() {
	at=$folder/$2-$1.cop from=$folder/resnet-8-$1.cop
	[ -s "$at" ] && return 0
	case $2 in
	another) other=$(found=no; next "$1") && train "$other" && cp "$folder/resnet-8-$other.cop" "$at" ;;
	pruned)
		printf 'name: pruned\nstages:\n  - prune: {keep: 0.3, schedule: once, epochs: 1, may_cost: 100}\n' >"$folder/pruned.yaml"
		"$bin" compress "$from" --recipe "$folder/pruned.yaml" --data $data --limit 10000 --seed="$1" --threads 1 --quiet -o "$at" >&2 ;;
	*) "$bin" quantize "$from" --data $data --scheme "$2" --limit 512 --quiet -o "$at" >&2 ;;
	esac
}

# SEED KIND
look() {
	at=$folder/$2-$1
	[ -s "$at.json" ] && return 0
	"$bin" eval "$at.cop" --data $data --limit "$limit" --json >"$at.score" || return 1
	for s in $samples; do "$bin" explain "$at.cop" --before "$folder/resnet-8-$1.cop" --data $data --sample "$s" --json || return 1; done >"$at.part" && mv "$at.part" "$at.json"
}

accuracy() { # KIND
	for seed in $SEEDS; do sed 's/.*"accuracy":\([0-9.]*\).*/\1/' "$folder/$1-$seed.score"; done | awk '{ s += 100 * $1 } END { printf "| %.1f ", s / NR }'
}

# KIND MAP: mean over samples and seeds, and least to most of the means of the seeds
alike() {
	for seed in $SEEDS; do
		grep -o '"map":"'"$2"'","rank":[^,]*,"top":[^}]*' "$folder/$1-$seed.json" | sed 's/.*"rank":\([^,]*\),"top":\(.*\)/\1 \2/' |
			awk '$1 != "null" { r += $1; n++ } $2 != "null" { t += $2; m++ } END { print r / n, t / m }'
	done | awk '{ r += $1; t += $2; if (NR == 1 || $1 < lo) lo = $1; if (NR == 1 || $1 > hi) hi = $1 } END { printf "| %.2f (%.2f to %.2f), %.0f %% ", r / NR, lo, hi, 100 * t / NR }'
}

named() {
	case $1 in
	pruned) echo "30 % of the weights kept, one epoch on 10,000 samples" ;;
	another) echo "not compressed: trained from another seed" ;;
	*) echo "integers, $1" ;;
	esac
}

for seed in $SEEDS; do
	train "$seed" || exit 1
	for kind in $kinds; do make "$seed" "$kind" && look "$seed" "$kind" || exit 1; done
done
cat <<TEXT
Each cell: the rank correlation (Spearman) of the map with that of the network before compression, as a mean over samples and seeds, with the means of the seeds from least to most; then the part of the
tenth of the pixels that mattered most which both maps share (10 % by chance). Accuracy in percent is that on the first $limit test samples. \`cifar10-jpeg\` is a lossy copy of CIFAR-10. [explain.md](../explain.md) says what the maps are.

| network | accuracy | saliency | Grad-CAM | occlusion |
|---|---|---|---|---|
TEXT
for kind in $kinds; do
	printf '| %s ' "$(named "$kind")"
	accuracy "$kind"
	for map in saliency grad-cam occlusion; do alike "$kind" $map; done
	echo '|'
done
