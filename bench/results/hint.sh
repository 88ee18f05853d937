#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Learning from values within a teacher (FitNets, attention, similarity): a small network on drawn digits alone, with hints, with answers, with both
# seeds: 1 2
# EPOCHS: of the student (30).
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-30} data="--data synth-digits --limit 2000 --lr 0.05 --batch 64 --threads 1"

cat >"$folder/big.txt" <<'TEXT'
input 28 28 1
conv 16 3x3 norm relu
conv 32 3x3 stride 2 norm relu
conv 32 3x3 norm relu
conv 64 3x3 stride 2 norm relu
mean
fc 10
TEXT
cat >"$folder/small.txt" <<'TEXT'
input 28 28 1
conv 4 3x3 stride 2 norm relu
conv 8 3x3 norm relu
conv 8 3x3 stride 2 norm relu
mean
fc 10
TEXT

# NAME of a way: the policies
policies() {
	case $1 in
	distill*) printf 'distill:teacher=%s;' "$folder/big.cop" ;;
	esac
	case $1 in
	*attention* | *fitnet* | *similarity*) echo "${1#distill-}" | sed "s|\(.*\)-\(.*\)|hint:teacher=$folder/big.cop,by=\1,weight=\2|" ;;
	esac
}

# NAME SEED: the accuracy on the validation part into a file
student() {
	at=$folder/$1-$2 by=$(policies "$1")
	[ ! -s "$at.accuracy" ] || return 0
	"$bin" train "$folder/small.txt" $data --epochs "$epochs" --seed="$2" ${by:+--policies "$by"} --json -o "$at.cop" | sed -n '$s/.*"accuracy":\([0-9.]*\).*/\1/p' >"$at.part" && mv "$at.part" "$at.accuracy"
}

row() { # LABEL NAME
	printf '| %s ' "$1"
	for seed in $SEEDS; do awk '{ printf "| %.1f %% ", 100 * $1 }' "$folder/$2-$seed.accuracy"; done
	echo '|'
}

ways="alone attention-1 attention-10 attention-100 similarity-3 similarity-30 similarity-300 fitnet-0.01 fitnet-0.1 fitnet-1 distill distill-attention-10 distill-similarity-30 distill-fitnet-0.1"
[ -s "$folder/big.cop" ] || "$bin" train "$folder/big.txt" $data --epochs 10 --quiet -o "$folder/big.cop" >&2 || exit 1
for way in $ways; do for seed in $SEEDS; do student "$way" "$seed" || exit 1; done; done
cat <<TEXT
Accuracy on the validation part of 2,000 drawn digits, for each seed. The student has 1,030 parameters and trains for $epochs epochs; the teacher has 33,338. By default $(printf '\140hint\140') learns the last value of each height and width, here of two.

TEXT
printf '| policies '
for seed in $SEEDS; do printf '| seed %s ' "$seed"; done
printf '|\n|---'
for seed in $SEEDS; do printf '|---'; done
printf '|\n'
for way in $ways; do
	case $way in
	alone) row "none" alone ;;
	distill) row '`distill`' distill ;;
	distill-*) row "\`distill\` and $(echo "${way#distill-}" | sed 's/\(.*\)-\(.*\)/`hint:by=\1,weight=\2`/')" "$way" ;;
	*) row "$(echo "$way" | sed 's/\(.*\)-\(.*\)/`hint:by=\1,weight=\2`/')" "$way" ;;
	esac
done
