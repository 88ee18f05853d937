#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# LeNet-5 for MNIST and resnet-8 in floats, int8, weights that are powers of two, and layers of distances: accuracy, flash, estimated energy, instructions of boards
# LeNet-5 is a small one (6 and 16 filters), trained for EPOCHS (4) on LIMIT (10000) samples; each form of it trains for MORE (2) epochs from there. resnet-8 is trained with its default
# settings, or taken from FOLDER/resnet-8-SEED.cop, with the first seed alone; its forms train for RESNET_MORE (2) epochs, on RESNET_LIMIT (20000) samples.
# ONLY: networks. Instructions are exact, and counted in an emulator (arm-none-eabi-gcc, qemu-system-arm), of the first seed; what a board has no room for has none.
set -u
bin=$1 folder=$2
limit=${LIMIT:-10000} epochs=${EPOCHS:-4} nets=${ONLY:-lenet-5 resnet-8} threads=${THREADS:-1}
quantize="quantize: {may_cost: 100, must_gain: 0}"

if_lenet() { [ "$1" = lenet-5 ]; }
data_of() { if_lenet "$1" && echo mnist || echo cifar10-jpeg; }
seeds_of() { if_lenet "$1" && echo "$SEEDS" || echo "${SEEDS%% *}"; }
boards_of() { if_lenet "$1" && echo "microbit cortex-m4" || echo "lm3s6965evb cortex-m4"; }
settings_of() { if_lenet "$1" && echo "--limit $limit --batch 32" || echo "--limit ${RESNET_LIMIT:-20000}"; }
more_of() { # what a stage trains
	if_lenet "$1" && n=${MORE:-2} || n=${RESNET_MORE:-2}
	echo "epochs: $n, update: adam, lr: 0.0005, schedule: cosine, may_cost: 100, must_gain: 0"
}
forms_of() { if_lenet "$1" && echo "int8 shift pair published adder" || echo "int8 shift pair"; }

# The stages of a form.
stages() {
	more=$(more_of "$1") made="may_cost: 100, must_gain: 0"
	case $2 in
	int8) echo "train: {$more}" ;;
	shift) echo "shift: {$more}" ;;
	pair) printf 'adder: {layers: "*conv*", %s}\n  - shift: {%s}\n' "$made" "$more" ;;
	published) printf 'adder: {layers: "*conv*", start: random, size: 3, %s}\n  - shift: {%s}\n' "$made" "$more" ;;
	adder) echo "adder: {pair: no, layers: \"*conv*\", $more}" ;;
	esac
}

# FILE COMMAND...: makes FILE, once
once() {
	file=$1
	shift
	[ -s "$file" ] || { "$@" -o "$file.part.cop" >&2 && mv "$file.part.cop" "$file"; }
}

# NET SEED: the network in floats
trained() {
	if if_lenet "$1"; then
		printf 'input 28 28 1\nconv 6 5x5 pad valid norm relu\nmaxpool 2\nconv 16 5x5 pad valid norm relu\nmaxpool 2\nfc 64 relu\nfc 10\n' >"$folder/lenet-5.txt"
		once "$folder/$1-$2.cop" "$bin" train "$folder/lenet-5.txt" --data mnist $(settings_of "$1") --epochs "$epochs" --update adam --lr 0.002 --threads "$threads" --quiet --seed="$2"
	else
		once "$folder/$1-$2.cop" "$bin" train "$1" --data cifar10-jpeg --threads "$threads" --quiet --seed="$2"
	fi
}

# NET SEED FORM
form() {
	at=$folder/$1-$3-$2
	printf 'name: shift\nstages:\n  - %s\n  - %s\n' "$(stages "$1" "$3")" "$quantize" >"$at.yaml"
	once "$at.cop" "$bin" compress "$folder/$1-$2.cop" --recipe "$at.yaml" --data "$(data_of "$1")" $(settings_of "$1") --threads "$threads" --seed="$2" --quiet || return 1
	case $3 in shift | pair | published) once "$folder/$1-$3-marked-$2.cop" "$bin" apply "$at.cop" shift && once "$folder/$1-$3-lists-$2.cop" "$bin" apply "$at.cop" shift:lists=yes ;; esac
}

# FILE NET: its accuracy, kept
accuracy() {
	[ -s "${1%.cop}.accuracy" ] || "$bin" eval "$1" --data "$(data_of "$2")" --threads "$threads" | awk '/^accuracy/ { print $2 }' >"${1%.cop}.accuracy"
	cat "${1%.cop}.accuracy"
}

# Instructions of a network on a board; "-": it does not fit.
instructions() {
	kept=${1%.cop}.$2
	[ -s "$kept" ] || {
		rm -rf "$folder/out"
		if "$bin" emit "$1" --target "$2" -o "$folder/out" >/dev/null 2>&1; then "$bin" check "$folder/out" | awk '/^ *instructions/ { print $2 }' >"$kept"; else echo - >"$kept"; fi
		rm -rf "$folder/out"
	}
	cat "$kept"
}

# NET LABEL NAME ("": the floats): a row of the table
row() {
	f=$folder/$1$3-${SEEDS%% *}.cop boards=$(boards_of "$1")
	for s in $(seeds_of "$1"); do accuracy "$folder/$1$3-$s.cop" "$1"; done >"$folder/row.part"
	for s in $(seeds_of "$1"); do accuracy "$folder/$1-$s.cop" "$1"; done | paste "$folder/row.part" - | awk '
		{ d = $1 - $2; a += $1; all += d; if (NR == 1 || d < lo) lo = d; if (NR == 1 || d > hi) hi = d }
		END { printf "%.2f %%|%+.2f", a / NR, all / NR; if (NR > 1) printf " (%+.2f to %+.2f)", lo, hi }' >"$folder/row"
	base=$("$bin" inspect "$folder/$1-${SEEDS%% *}.cop" --target cortex-m4 | awk '/^energy/ { print $2 }')
	"$bin" inspect "$f" --target cortex-m4 | awk -v label="$2" -v accuracy="$(cat "$folder/row")" -v base="$base" -v a="$(instructions "$f" "${boards% *}")" -v b="$(instructions "$f" "${boards#* }")" '
		BEGIN { split(accuracy, acc, "|"); gsub(",", "", base) }
		/^operations/ { macs = $4 } /^  shifts/ { shifts = $2 } /^flash/ { flash = $2 } /^energy/ { energy = $2 }
		END { e = energy; gsub(",", "", e); printf "| %s | %s | %s | %s | %s | %s | %s nJ | %.0f %% | %s | %s |\n", label, acc[1], acc[2], macs, shifts ? shifts : "0", flash, energy, 100 * (1 - e / base), a, b }'
}

table() {
	if_lenet "$1" && m=M0 || m=M3
	cat <<TEXT

### $1, $(data_of "$1")

| network | accuracy | points against floats | multiply-accumulates | of these shifts | flash, bytes | energy | saved | instructions, Cortex-$m | instructions, Cortex-M4 |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|
TEXT
	row "$1" "floats" ""
	row "$1" "int8, trained on" -int8
	row "$1" "powers of two, as int8" -shift
	row "$1" "powers of two, shifts" -shift-marked
	row "$1" "powers of two, lists" -shift-lists
	row "$1" "shift and add, from the trained network" -pair-marked
	row "$1" "the same, lists" -pair-lists
	if_lenet "$1" || return 0
	row "$1" "shift and add, 3x3 from random numbers" -published-marked
	row "$1" "distances in place of convolutions" -adder
}

for net in $nets; do
	for seed in $(seeds_of "$net"); do
		trained "$net" "$seed" || exit 1
		for form in $(forms_of "$net"); do form "$net" "$seed" "$form" || exit 1; done
	done
done
cat <<'TEXT'
Accuracy is the mean on the 10,000 test images, and the difference to the floats that the form was made of is the mean, and the least and the most of the seeds. Multiply-accumulates are those of one sample,
without sums of distances; shifts are those of them that a board does by a shift and an addition. Flash is the weights alone, on a Cortex-M4. The energy is the estimate of `inspect` (45 nm), of arithmetic and of every byte
that moves once: a model, not a measurement. All but the floats are networks of integers. All forms train for as many epochs. `cifar10-jpeg` is a lossy copy of CIFAR-10.
TEXT
for net in $nets; do table "$net"; done
