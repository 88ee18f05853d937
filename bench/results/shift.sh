#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# LeNet-5 for MNIST in floats, int8, weights that are powers of two, and shift-and-add layers: accuracy, flash, estimated energy, instructions of a Cortex-M0 and M4
# The networks are small ones (6 and 16 filters), trained shortly, on LIMIT (10000) samples for EPOCHS (4), and the shifts for 1 more. "One more epoch" has that, too,
# without shifts. The rows are those of the first seed. Instructions are exact, and counted in an emulator (arm-none-eabi-gcc, qemu-system-arm); what a board has no room for has none.
# seeds: 1
set -u
bin=$1 folder=$2
limit=${LIMIT:-10000} epochs=${EPOCHS:-4}
common="--data mnist --limit $limit --threads 2 --quiet --batch 32"

net() {
	echo 'input 28 28 1'
	if [ "$1" = plain ]; then
		printf 'conv 6 5x5 pad valid norm relu\nmaxpool 2\nconv 16 5x5 pad valid norm relu\nmaxpool 2\n'
	else # each convolution, and one of distances behind it
		printf 'conv 6 5x5 pad valid norm\naddconv 6 3x3 relu\nmaxpool 2\nconv 16 5x5 pad valid norm\naddconv 16 3x3 relu\nmaxpool 2\n'
	fi
	printf 'fc 64 relu\nfc 10\n'
}

# A recipe of two stages; nothing is undone.
recipe() { printf 'name: shift\nstages:\n  - %s: {epochs: 1, update: adam, lr: 0.0005, may_cost: 100, must_gain: 0}\n  - quantize: {may_cost: 100, must_gain: 0}\n' "$1"; }

# FILE COMMAND...: makes FILE, once
once() {
	file=$1
	shift
	[ -s "$file" ] || { "$@" -o "$file.part.cop" >&2 && mv "$file.part.cop" "$file"; }
}

# The networks of one seed.
networks() {
	for kind in plain add; do
		net $kind >"$folder/$kind.txt"
		once "$folder/$kind-$1.cop" "$bin" train "$folder/$kind.txt" $common --epochs "$epochs" --update adam --lr 0.002 --seed="$1" || return 1
		for stage in shift train; do
			[ "$kind-$stage" != add-train ] || continue
			recipe $stage >"$folder/$stage.yaml"
			once "$folder/$kind-$stage-$1.cop" "$bin" compress "$folder/$kind-$1.cop" --recipe "$folder/$stage.yaml" $common --seed="$1" || return 1
		done
		once "$folder/$kind-marked-$1.cop" "$bin" apply "$folder/$kind-shift-$1.cop" shift || return 1
	done
}

# Instructions of a network on a board; "-": it does not fit.
instructions() {
	kept=$folder/$(basename "$1" .cop).$2
	[ -s "$kept" ] || {
		rm -rf "$folder/out"
		if "$bin" emit "$1" --target "$2" -o "$folder/out" >/dev/null 2>&1; then "$bin" check "$folder/out" | awk '/^ *instructions/ { print $2 }' >"$kept"; else echo - >"$kept"; fi
		rm -rf "$folder/out"
	}
	cat "$kept"
}

# LABEL FILE: a row of the table, of the first seed
row() {
	f=$folder/$2-${SEEDS%% *}.cop
	accuracy=$("$bin" eval "$f" --data mnist --threads 2 | awk '/^accuracy/ { print $2 }')
	"$bin" inspect "$f" --target cortex-m4 | awk -v label="$1" -v accuracy="$accuracy" -v m0="$(instructions "$f" microbit)" -v m4="$(instructions "$f" cortex-m4)" '
		/^operations/ { macs = $4 } /^  shifts/ { shifts = $2 } /^flash/ { flash = $2 } /^energy/ { energy = $2 }
		END { printf "| %s | %s %% | %s | %s | %s | %s nJ | %s | %s |\n", label, accuracy, macs, shifts ? shifts : "0", flash, energy, m0, m4 }'
}

for seed in $SEEDS; do networks "$seed" || exit 1; done
cat <<'TEXT'
Accuracy is on the 10,000 test images. Multiply-accumulates are those of one sample, without sums of distances; shifts are those of them that a board does by a shift and an addition. Flash is the weights alone, on a
Cortex-M4. The energy is the estimate of `inspect` (45 nm), of arithmetic and of every byte that moves once: a model, not a measurement.

| network | accuracy | multiply-accumulates | shifts | flash, bytes | energy | instructions, Cortex-M0 | instructions, Cortex-M4 |
|---|---:|---:|---:|---:|---:|---:|---:|
TEXT
row "floats" plain
row "int8, one more epoch" plain-train
row "powers of two, as int8" plain-shift
row "powers of two, shifts" plain-marked
row "shift and add, floats" add
row "shift and add, int8" add-marked
