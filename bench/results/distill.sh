#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Distillation: a network of 784-800-800-10 on MNIST alone and with a teacher, by three losses (Hinton et al. 2015: 146 test errors alone, 74 distilled)
# The teacher, 784-1200-1200-10, sees images that are shifted by up to two pixels; the student never does, alone or taught. EPOCHS: of each (20).
# ONLY: ways of alone distill plain dkd dist.
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-20} ways=${ONLY:-alone distill plain dkd dist} data="--data mnist"

errors() { # FILE: of 10,000 test images
	[ -s "$1.errors" ] || { "$bin" eval "$1.cop" $data --json | sed 's/.*"accuracy":\([0-9.]*\).*/\1/' | awk '{ printf "%.0f\n", 10000 * (1 - $1) }' >"$1.part" && mv "$1.part" "$1.errors"; }
}

train() { # FILE NET SEED OPTIONS...
	at=$1 net=$2 seed=$3
	shift 3
	[ -s "$at.cop" ] || "$bin" train "$net" $data --epochs "$epochs" --seed="$seed" --threads 1 --resume --quiet -o "$at.cop" "$@" >&2 || return 1
	errors "$at"
}

row() { # LABEL NAME
	for seed in $SEEDS; do cat "$folder/$2-$seed.errors"; done | awk -v label="$1" -v alone="$(for seed in $SEEDS; do cat "$folder/alone-$seed.errors"; done | awk '{ s += $1 } END { print s / NR }')" '
		{ s += $1; if (NR == 1 || $1 < lo) lo = $1; if (NR == 1 || $1 > hi) hi = $1 }
		END { printf "| %s | %.1f | %d to %d | %+.0f %% |\n", label, s / NR, lo, hi, 100 * (s / NR / alone - 1) }'
}

for seed in $SEEDS; do
	train "$folder/teacher-$seed" mlp-784x1200x1200x10 "$seed" --augment shift=2 || exit 1
	train "$folder/alone-$seed" mlp-784x800x800x10 "$seed" --augment none || exit 1
	for way in $ways; do
		case $way in plain) by="distill temperature=4 standardise=no" ;; *) by=$way ;; esac
		[ "$way" = alone ] || train "$folder/$way-$seed" mlp-784x800x800x10 "$seed" --augment none --policies "distill:by=$by teacher=$folder/teacher-$seed.cop" || exit 1
	done
done
cat <<TEXT
Errors on the 10,000 test images, mean and least to most over the seeds; $epochs epochs each, the settings of \`coppice train\` but for the shifts. Taught students have 0.9 of the loss from the teacher's answers.

| network | errors | range | against the student alone |
|---|---|---|---|
TEXT
row "teacher, 784-1200-1200-10, images shifted by up to 2 pixels" teacher
for way in $ways; do
	case $way in
	alone) row "student, 784-800-800-10, alone" alone ;;
	distill) row "student, taught by softened answers, logits standardised (the default)" distill ;;
	plain) row "student, taught by softened answers as published, at a temperature of 4" plain ;;
	*) row "student, taught by \`$way\`" "$way" ;;
	esac
done
