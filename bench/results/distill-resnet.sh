#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Distillation: resnet-8 taught by resnet-20 on cifar10-jpeg, beside resnet-8 alone: accuracy after the same epochs
# cifar10-jpeg is a lossy copy of CIFAR-10. Both networks are trained with their default settings; a teacher's answers are 0.9 of the pupil's loss. TEACHER: a trained network
# in the place of the resnet-20 of each seed; NETS: a folder with resnet-8-SEED.cop that are trained already; EPOCHS: of the pupil (40).
set -u
bin=$1 folder=$2
data="--data cifar10-jpeg" epochs=${EPOCHS:+--epochs $EPOCHS}

train() { # FILE NET SEED OPTIONS...
	at=$1 net=$2 seed=$3
	shift 3
	[ -s "$at" ] || "$bin" train "$net" $data --seed="$seed" --threads 1 --resume --quiet -o "$at" "$@" >&2
}

score() { # FILE without .cop
	[ -s "$1.eval" ] || { "$bin" eval "$1.cop" $data --json >"$1.part" && mv "$1.part" "$1.eval"; }
}

for seed in $SEEDS; do
	teacher=$folder/resnet-20-$seed alone=${NETS:-$folder}/resnet-8-$seed.cop
	if [ -n "${TEACHER:-}" ]; then cp "$TEACHER" "$teacher.cop" || exit 1; fi
	train "$teacher.cop" resnet-20 "$seed" && train "$alone" resnet-8 "$seed" $epochs || exit 1
	[ "$alone" = "$folder/resnet-8-$seed.cop" ] || cp "$alone" "$folder/resnet-8-$seed.cop" || exit 1
	train "$folder/taught-$seed.cop" resnet-8 "$seed" $epochs --policies "distill:teacher=$teacher.cop" || exit 1
	for net in resnet-20 resnet-8 taught; do score "$folder/$net-$seed" || exit 1; done
done

row() { # LABEL NAME
	for seed in $SEEDS; do
		for net in "$2" resnet-8; do sed 's/.*"accuracy":\([0-9.]*\).*/\1/' "$folder/$net-$seed.eval"; done | tr '\n' ' '
		echo
	done | awk -v label="$1" '
		{ a = 100 * $1; s += a; d += a - 100 * $2; if (NR == 1 || a < lo) lo = a; if (NR == 1 || a > hi) hi = a }
		END { printf "| %s | %.2f %% (%.2f to %.2f) | %+.2f |\n", label, s / NR, lo, hi, d / NR }'
}
cat <<'TEXT'
Accuracy on the 10,000 test pictures of `cifar10-jpeg`, a lossy copy of CIFAR-10, mean and least to most over the seeds.

| network | accuracy | points more than alone |
|---|---|---|
TEXT
row "resnet-20, the teacher" resnet-20
row "resnet-8, alone" resnet-8
row "resnet-8, taught" taught
