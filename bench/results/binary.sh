#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Binary residual networks on cifar10-jpeg (a lossy copy of CIFAR-10) beside their float twins: accuracy, and flash, RAM and instructions of a Cortex-M4
# binary-resnet-N is trained with signs for EPOCHS (60), then with signs of weights, too, for as many; its twin resnet-N for twice as many in floats. "signs without blocks" is
# the twin after the recipe of a plain network, EPOCHS of each step: signs in the place of ReLU, without edges, shortcuts of their own and RPReLU. "not trained" has the signs of the
# weights after the first step. All end in int8 beside the bits. ONLY: N (20); LIMIT: samples of the training set.
# seeds: 1 2 3
set -u
bin=$1 folder=$2
epochs=${EPOCHS:-60} limit=${LIMIT:+--limit $LIMIT} sizes=${ONLY:-20}
data="--data cifar10-jpeg" free="may_cost: 100, must_gain: 0"

recipe() { # NAME: the stages on standard input
	{ printf 'name: %s\nstages:\n' "$1"; cat; } >"$folder/$1.yaml"
}
learn="lr: 0.001, update: adam, schedule: cosine, $free"
recipe weights <<YAML
  - binarize: {epochs: $epochs, $learn}
YAML
recipe plain <<YAML
  - binarize: {weights: real, epochs: $epochs, $learn}
  - binarize: {epochs: $epochs, $learn}
YAML
recipe untrained <<YAML
  - binarize: {epochs: 1, lr: 1e-12, update: sgd, schedule: constant, $free}
YAML

train() { # NET EPOCHS SEED: FOLDER/NET-SEED.cop
	[ -s "$folder/$1-$3.cop" ] || "$bin" train "$1" $data $limit --epochs "$2" --seed="$3" --threads 1 --resume --quiet -o "$folder/$1-$3.cop" >&2
}

compress() { # FROM RECIPE TO SEED
	[ -s "$folder/$3-$4.cop" ] || "$bin" compress "$folder/$1-$4.cop" --recipe "$folder/$2.yaml" $data $limit --seed="$4" --threads 1 --resume --quiet -o "$folder/$3-$4.cop" >&2
}

field() { sed -n "s/.*\"$2\":\([0-9.]*\).*/\1/p" "$1"; }

# FOLDER/NET-SEED: accuracy, accuracy in int8, flash, RAM, instructions
figures() {
	[ -s "$1.eval" ] || { "$bin" eval "$1.cop" $data --threads 1 --json >"$1.part" && mv "$1.part" "$1.eval"; } || return 1
	[ -s "$1-int8.cop" ] || "$bin" quantize "$1.cop" $data --limit 500 -q -o "$1-int8.cop" >&2 || return 1
	[ -s "$1-int8.eval" ] || { "$bin" eval "$1-int8.cop" $data --threads 1 --json >"$1.part" && mv "$1.part" "$1-int8.eval"; } || return 1
	[ -s "$1.board" ] || {
		if command -v qemu-system-arm >/dev/null && "$bin" emit "$1-int8.cop" --target cortex-m4 -o "$1.c" -q; then "$bin" check "$1.c" --json >"$1.board" 2>/dev/null; fi
		[ -s "$1.board" ] || echo '"instructions":0,"ram_bytes":0,"flash_bytes":0' >"$1.board"
	}
	echo "$(field "$1.eval" accuracy) $(field "$1-int8.eval" accuracy) $(field "$1.board" flash_bytes) $(field "$1.board" ram_bytes) $(field "$1.board" instructions)"
}

row() { # LABEL NAME
	for seed in $SEEDS; do figures "$folder/$2-$seed" || exit 1; done | awk -v label="$1" '
		function note(k, v) { sum[k] += v; if (n == 1 || v < lo[k]) lo[k] = v; if (n == 1 || v > hi[k]) hi[k] = v }
		function board(v, s) { return v ? s : "not counted" }
		{ n++; for (k = 1; k <= 5; k++) note(k, $k) }
		END {
			for (k = 3; k <= 5; k++) sum[k] /= n
			printf "| %s | %.2f %% (%.2f to %.2f) | %.2f %% | %s | %s | %s |\n", label, 100 * sum[1] / n, 100 * lo[1], 100 * hi[1], 100 * sum[2] / n,
				board(sum[3], sprintf("%.1f KB", sum[3] / 1024)), board(sum[4], sprintf("%.1f KB", sum[4] / 1024)), board(sum[5], sprintf("%.1f M", sum[5] / 1e6))
		}'
}

for n in $sizes; do
	for seed in $SEEDS; do
		train "binary-resnet-$n" "$epochs" "$seed" && train "resnet-$n" $((2 * epochs)) "$seed" || exit 1
		compress "binary-resnet-$n" weights "bits-$n" "$seed" && compress "binary-resnet-$n" untrained "untrained-$n" "$seed" && compress "resnet-$n" plain "plain-$n" "$seed" || exit 1
	done
done
cat <<TEXT
Accuracy is on the 10,000 test pictures of \`cifar10-jpeg\`, a lossy copy of CIFAR-10: mean, and least to most over the seeds. Epochs: $epochs for each of two steps, $((2 * epochs)) for the float twin${LIMIT:+; only $LIMIT
pictures of the training set were used, so all figures are far below what the networks can do}. Flash, RAM and instructions are those of the int8 form, in which the ends and the shortcuts are bytes, in emulation of a Cortex-M4.
TEXT
for n in $sizes; do
	printf '\n### resnet-%s\n\n| network | accuracy | accuracy in int8 | flash | RAM | instructions |\n|---|---|---|---|---|---|\n' "$n"
	row "float twin, \`resnet-$n\`" "resnet-$n"
	row "signs of activations, weights of floats" "binary-resnet-$n"
	row "signs of both, \`binary-resnet-$n\`" "bits-$n"
	row "the same, the weights' signs not trained" "untrained-$n"
	row "signs without blocks, \`resnet-$n\`" "plain-$n"
done
