#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Distillation: a network of 784-800-800-10 on MNIST alone and with a teacher (Hinton et al. 2015: 146 test errors alone, 74 distilled)
# The student never sees a shifted image, alone or taught. Its teacher is LeNet-5 as `coppice train` makes it, with shifted images; for `mlp` it is
# 784-1200-1200-10, shifted by up to two pixels, as published. EPOCHS: of the student and of that teacher (20). ONLY: ways of alone plain distill dkd dist mlp.
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-20} ways=${ONLY:-alone plain distill dkd dist mlp} data="--data mnist"

# FILE NET SEED OPTIONS...: trains it, and counts errors of 10,000
train() {
	at=$1 net=$2 seed=$3
	shift 3
	[ -s "$at.cop" ] || "$bin" train "$net" $data --seed="$seed" --threads 1 --resume --quiet -o "$at.cop" "$@" >&2 || return 1
	[ -s "$at.errors" ] || { "$bin" eval "$at.cop" $data --json | sed 's/.*"accuracy":\([0-9.]*\).*/\1/' | awk '{ printf "%.0f\n", 10000 * (1 - $1) }' >"$at.part" && mv "$at.part" "$at.errors"; }
}

# NAME SEED POLICIES
student() { train "$folder/$1-$2" mlp-784x800x800x10 "$2" --epochs "$epochs" --augment none ${3:+--policies "$3"}; }

row() { # LABEL NAME
	for seed in $SEEDS; do cat "$folder/$2-$seed.errors"; done | awk -v label="$1" -v alone="$(for seed in $SEEDS; do cat "$folder/alone-$seed.errors"; done | awk '{ s += $1 } END { print s / NR }')" '
		{ s += $1; if (NR == 1 || $1 < lo) lo = $1; if (NR == 1 || $1 > hi) hi = $1 }
		END { printf "| %s | %.1f | %d to %d | %+.0f %% |\n", label, s / NR, lo, hi, 100 * (s / NR / alone - 1) }'
}

plain="by=distill temperature=4 standardise=no"
for seed in $SEEDS; do
	train "$folder/teacher-$seed" lenet-5 "$seed" || exit 1
	for way in $ways; do
		by="distill:teacher=$folder/teacher-$seed.cop"
		case $way in
		alone) student alone "$seed" || exit 1 ;;
		plain) student plain "$seed" "$by $plain" || exit 1 ;;
		mlp)
			train "$folder/mlp-teacher-$seed" mlp-784x1200x1200x10 "$seed" --epochs "$epochs" --augment shift=2 || exit 1
			student mlp "$seed" "distill:teacher=$folder/mlp-teacher-$seed.cop $plain" || exit 1 ;;
		*) student "$way" "$seed" "$by by=$way" || exit 1 ;;
		esac
	done
done
cat <<TEXT
Errors on the 10,000 test images, mean and least to most over the seeds. The student trains for $epochs epochs with the settings of \`coppice train\`, but without shifted images; a teacher's answers are 0.9 of its loss.

| network | errors | range | against the student alone |
|---|---|---|---|
TEXT
for way in $ways; do
	case $way in
	alone)
		row "teacher, LeNet-5" teacher
		row "student, 784-800-800-10, alone" alone ;;
	plain) row "student, taught by softened answers as published, at a temperature of 4" plain ;;
	distill) row "student, taught by softened answers, logits standardised (the default)" distill ;;
	mlp)
		row "teacher, 784-1200-1200-10" mlp-teacher
		row "student, taught by it, at a temperature of 4" mlp ;;
	*) row "student, taught by \`$way\`" "$way" ;;
	esac
done
