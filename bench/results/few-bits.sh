#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Weights of 4 and 2 bits, and shared ones, beside int8 weights of the same networks: flash, RAM and instructions on a Cortex-M4, and time at batch 1 on this machine
# Nothing is trained, and weights are random, so there is one seed. ISAS: instruction sets of this machine to measure (all that it has and avx2), as
# COPPICE_ISA names them; ROUNDS (9): runs that take turns.
# seeds: 1
set -u
bin=$1 folder=$2
rounds=${ROUNDS:-9}
forms="w8a8 w4a8 w2a8" # the first is what the others are compared with

network() {
	case $1 in
	fc-*) printf 'input 28 28 1\nflatten\nfc %s relu\nfc %s relu\nfc 10\n' "${1#fc-}" "${1#fc-}" ;;
	convs) printf 'input 28 28 1\nconv 16 3x3 relu\nconv 16 3x3 relu\nconv 32 3x3 stride 2 relu\nconv 32 3x3 relu\nconv 64 3x3 stride 2 relu\nconv 64 3x3 relu\nmean\nfc 10\n' ;;
	points) printf 'input 28 28 1\nconv 32 3x3 stride 2 relu\ndepthwise 3x3 relu\nconv 64 1x1 relu\ndepthwise 3x3 stride 2 relu\nconv 128 1x1 relu\ndepthwise 3x3 relu\nconv 128 1x1 relu\nmean\nfc 10\n' ;;
	esac
}

# Its forms NAME-FORM.cop
make() {
	from=$1
	[ -z "$(network "$1")" ] || { from=$folder/$1.txt && network "$1" >"$from"; }
	[ -s "$folder/$1.cop" ] || "$bin" apply "$from" to_infer -q -o "$folder/$1.cop" || exit 1
	for form in $forms; do
		[ -s "$folder/$1-$form.cop" ] && continue
		"$bin" quantize "$folder/$1.cop" --data synth-digits --limit 64 --int8-io --round nearest --scheme $form -q -o "$folder/$1-$form.part.cop" >/dev/null || exit 1
		mv "$folder/$1-$form.part.cop" "$folder/$1-$form.cop"
	done
}

words() { case $1 in w8a8) echo int8 ;; w?a8) echo "${1#w}" | sed 's/a8/ bits/' ;; esac }

# NET FORM: weights, RAM and instructions of a Cortex-M4
board() {
	at=$folder/$1-$2.m4
	[ -s "$at" ] || { rm -rf "$folder/out"; "$bin" emit "$folder/$1-$2.cop" --target cortex-m4 -q -o "$folder/out" && "$bin" check "$folder/out" --json >"$at.part" && mv "$at.part" "$at"; } || exit 1
	for key in weight_bytes ram_bytes instructions; do sed -n "s/.*\"$key\":\([0-9]*\).*/\1/p" "$at"; done | tr '\n' ' '
}

milliseconds() { "$bin" bench "$1" --threads 1 --seconds 0.2 --json | sed -n 's/.*"milliseconds":\([0-9.e-]*\).*/\1/p' | tr '\n' ' '; }

# NET ISA: milliseconds of each form, a line a round
rounds_of() {
	at=$folder/$1.$2.times
	if [ ! -s "$at" ]; then
		[ "$2" = all ] && unset COPPICE_ISA || export COPPICE_ISA="$2"
		for _ in $(seq "$rounds"); do for form in $forms; do milliseconds "$folder/$1-$form.cop"; done; echo; done >"$at.part"
		mv "$at.part" "$at"
	fi
	cat "$at"
}
middle() { sort -g | awk '{ v[NR] = $1 } END { printf "%.3g", v[int((NR + 1) / 2)] }'; }
spread() { sort -g | awk '{ v[NR] = $1 } END { printf "%.2f to %.2f", v[1], v[NR] }'; }

cat <<'TEXT'
Networks are quantised to the nearest integer, with 8, 4 or 2 bits for all weights and 8 for values. `fc-N` has 784 inputs, two layers of N units and one of 10; `convs` has six 3 x 3 convolutions of 16 to 64 channels;
`points` has three depthwise and three 1 x 1 convolutions of 64 to 128 channels. Depthwise weights take a byte each in any case. A ratio below 1 is a gain.
TEXT
printf '\n### Cortex-M4, emulated\n\n'
if command -v qemu-system-arm >/dev/null && command -v arm-none-eabi-gcc >/dev/null; then
	printf 'Instructions are exact. RAM includes the stack.\n\n| network | weights | bytes of weights | ratio | RAM | instructions | ratio |\n|---|---|---:|---:|---:|---:|---:|\n'
	for net in lenet-300-100 lenet-5 convs points; do
		make $net
		for form in $forms; do
			echo "$(board $net $form) $(board $net w8a8)" | awk -v net="$net" -v form="$(words $form)" '{ printf "| `%s` | %s | %d | %.2f | %d | %d | %.3f |\n", net, form, $1, $1 / $4, $2, $3, $3 / $6 }'
		done
	done
else
	printf 'Not measured: needs arm-none-eabi-gcc and qemu-system-arm.\n'
fi
for isa in ${ISAS:-all avx2}; do
	printf '\n### This machine, %s\n\n' "$([ "$isa" = all ] && echo "all its instructions" || echo "$isa")"
	printf 'Microseconds at batch 1 on one thread: the median of runs that take turns, and the ratio to int8 in the same round, median and spread. Convolutions are unpacked when the plan is made, so they take the same time.\n\n'
	printf '| network | weights | time | ratio | spread |\n|---|---|---:|---:|---:|\n'
	for net in fc-512 fc-1024 fc-2048 fc-4096 lenet-300-100 convs points; do
		make $net
		i=0
		for form in $forms; do
			i=$((i + 1))
			printf "| \`%s\` | %s | %s | %s | %s |\n" $net "$(words $form)" "$(rounds_of $net $isa | awk -v i=$i '{ print $i * 1000 }' | middle)" \
				"$(rounds_of $net $isa | awk -v i=$i '{ print $i / $1 }' | middle)" "$(rounds_of $net $isa | awk -v i=$i '{ print $i / $1 }' | spread)"
		done
	done
done

# NET: milliseconds of int8 and of int8 from 16 shared weights, a line a round
shared_rounds() {
	at=$folder/$1.shared.times
	if [ ! -s "$at" ]; then
		printf 'stages:\n  - share: {levels: 16, may_cost: 100, must_gain: 0}\n' >"$folder/share.yaml"
		[ -s "$folder/$1-s16.cop" ] || "$bin" compress "$folder/$1.cop" --recipe "$folder/share.yaml" --data synth-digits --limit 64 -q -o "$folder/$1-s16.cop" >/dev/null || exit 1
		"$bin" quantize "$folder/$1-s16.cop" --data synth-digits --limit 64 --int8-io --per tensor --round nearest -q -o "$folder/$1-s16-w8a8.cop" >/dev/null || exit 1
		unset COPPICE_ISA
		for _ in $(seq "$rounds"); do milliseconds "$folder/$1-w8a8.cop"; milliseconds "$folder/$1-s16-w8a8.cop"; echo; done >"$at.part"
		mv "$at.part" "$at"
	fi
	cat "$at"
}
size() { wc -c <"$folder/$1.cop"; }

printf '\n### Shared weights, this machine, all its instructions\n\n'
printf 'The same networks with 16 values for the weights of each layer, by k-means, and then int8, one scale a layer; beside int8 of the first table. Files in bytes.\n\n'
printf '| network | file, int8 | file, shared | time, int8 | shared | ratio | spread |\n|---|---:|---:|---:|---:|---:|---:|\n'
for net in fc-512 fc-1024 fc-2048; do
	times=$(shared_rounds $net)
	printf '| `%s` | %d | %d | %s | %s | %s | %s |\n' $net "$(size $net-w8a8)" "$(size $net-s16-w8a8)" "$(echo "$times" | awk '{ print $1 * 1000 }' | middle)" "$(echo "$times" | awk '{ print $2 * 1000 }' | middle)" \
		"$(echo "$times" | awk '{ print $2 / $1 }' | middle)" "$(echo "$times" | awk '{ print $2 / $1 }' | spread)"
done

# NET ISA: milliseconds of floats, of 15 values a layer, and of 8, a line a round
real_rounds() {
	at=$folder/$1.$2.real.times
	if [ ! -s "$at" ]; then
		for levels in 16 9; do
			printf 'stages:\n  - share: {levels: %s, may_cost: 100, must_gain: 0}\n  - encode: {may_cost: 100, must_gain: 0}\n' $levels >"$folder/real.yaml"
			[ -s "$folder/$1-s$levels.cop" ] || "$bin" compress "$folder/$1.cop" --recipe "$folder/real.yaml" --data synth-digits --limit 64 -q -o "$folder/$1-s$levels.cop" >/dev/null || exit 1
		done
		[ "$2" = all ] && unset COPPICE_ISA || export COPPICE_ISA="$2"
		for _ in $(seq "$rounds"); do for form in "" -s16 -s9; do milliseconds "$folder/$1$form.cop"; done; echo; done >"$at.part"
		mv "$at.part" "$at"
	fi
	cat "$at"
}

printf '\n### Shared weights as floats, this machine (%s)\n\n' "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1)"
printf 'The networks before they are integers: 15 or 8 values for the weights of each layer, by k-means, beside weights that all differ. Files in bytes; times as above.\n\n'
printf '| network | instructions | values | file | time | ratio | spread |\n|---|---|---:|---:|---:|---:|---:|\n'
for net in fc-512 fc-1024 fc-2048; do
	for isa in ${ISAS:-all avx2}; do
		i=0
		for form in "" -s16 -s9; do
			i=$((i + 1))
			times=$(real_rounds $net $isa)
			printf '| `%s` | %s | %s | %d | %s | %s | %s |\n' $net $isa "$(echo "all 15 8" | cut -d' ' -f$i)" "$(size $net$form)" "$(echo "$times" | awk -v i=$i '{ print $i * 1000 }' | middle)" \
				"$(echo "$times" | awk -v i=$i '{ print $i / $1 }' | middle)" "$(echo "$times" | awk -v i=$i '{ print $i / $1 }' | spread)"
		done
	done
done
