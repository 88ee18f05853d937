#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Coded weights on a board: sparse networks of the table smallest as int8, with tables and under the adaptive code: flash, RAM and instructions of a Cortex-M4
# It takes the networks that the table `smallest` has made, from the folder `smallest` beside its own; make that table first.
# seeds: 1
set -u
bin=$1 folder=$2
command -v qemu-system-arm >/dev/null && command -v arm-none-eabi-gcc >/dev/null || { echo "flash-codes: needs arm-none-eabi-gcc and qemu-system-arm" >&2; exit 1; }
ls "$folder"/../smallest/*-smallest-*.cop >/dev/null 2>&1 || { echo "flash-codes: there are no networks in $folder/../smallest; make the table smallest first" >&2; exit 1; }

field() { sed -n "s/.*\"$2\":\([0-9.e+-]*\).*/\1/p" "$1"; }

# NET: its int8 form
quantized() {
	[ -s "$folder/$1.cop" ] || { "$bin" quantize "$folder/../smallest/$1.cop" --data mnist --limit 64 --threads 1 -q -o "$folder/$1.part.cop" >/dev/null && mv "$folder/$1.part.cop" "$folder/$1.cop"; } || exit 1
}

# NET NAME OPTION...: what the emulated board says, and what the decoder was foretold to take
board() {
	net=$1 at=$folder/$1-$2
	shift 2
	[ -s "$at" ] && return
	rm -rf "$folder/out"
	{ "$bin" emit "$folder/$net.cop" --target cortex-m4 --json "$@" -o "$folder/out" >"$at.said" && "$bin" check "$folder/out" --json >"$at.part" && mv "$at.part" "$at"; } || exit 1
}

# NET NAME LABEL
line() {
	weights=$("$bin" inspect "$folder/$1.cop" --json | sed 's/.*"parameters"/"parameters"/' | sed -n 's/^"parameters":\([0-9]*\).*/\1/p')
	echo "$(field "$folder/$1-$2" weight_bytes) $(field "$folder/$1-$2" code_bytes) $(field "$folder/$1-$2" ram_bytes) $(field "$folder/$1-$2" instructions) $(field "$folder/$1-plain" instructions) ${weights:-0}" |
		awk -v net="$1" -v label="$3" '{ more = ($4 > $5 && $6) ? sprintf("%.1f", ($4 - $5) / $6) : ""; printf("| %s | %s | %d | %d | %d | %d | %d | %s |\n", net, label, $1, $2, $1 + $2, $3, $4, more) }'
}

cat <<'TEXT'
Networks of the recipes `smallest-...`, quantised by `coppice quantize --data mnist --limit 64`, which keeps their weights as they are. Bytes and instructions are those of `coppice check`; RAM includes the stack. "all" is flash with the program that runs
the network there, and the decoder. The last column is what a run takes longer than without codes, for each weight of the network, zeros included.

| network | code | weights | code bytes | all | RAM | instructions | more for each weight |
|---|---|---:|---:|---:|---:|---:|---:|
TEXT
for path in "$folder"/../smallest/*-smallest-*.cop; do
	net=${path##*/} net=${net%.cop}
	quantized "$net"
	board "$net" plain
	board "$net" tables --code=tables
	board "$net" adaptive --code=adaptive
	board "$net" limited --code=adaptive --instructions 2M
	line "$net" plain "none"
	line "$net" tables "tables"
	line "$net" adaptive "adaptive"
	line "$net" limited "adaptive, at most 2M instructions"
done
