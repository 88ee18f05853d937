#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Kernels for sparse weights beside the dense ones, layer by layer: microseconds in f32 and int8 on this machine, instructions on a Cortex-M4
# Nothing is trained, and weights are random, so there is one seed. The dense kernel of a row has weights without a zero. ISAS: instruction sets to
# measure on this machine (all that it has and AVX2), as COPPICE_ISA names them; ROUNDS (9). The break-even is the part of zeros, in per cent, from which on
# plan/breakeven.def has a layer of random zeros run sparse.
# seeds: 1
set -u
bin=$1 folder=$2
bench=$(dirname "$bin")/bench_sparse
[ -x "$bench" ] || { echo "sparse-kernels: $bench is missing: build all targets" >&2; exit 1; }
isas=${ISAS:-all avx2}
cat <<'TEXT'
A row compares one layer at batch 1 on one thread, the least of ROUNDS (9) times that take turns: the dense kernel that a plan would use, on weights without zeros, and the kernel for sparse weights, whether or not a plan would take it. *faster* above 1 is a gain.
*bytes* are those of the packed weights, as a part of the dense ones. *step* is what `src/plan/breakeven.def` holds: the cost of a step of the sparse kernel in tenths of a dense weight.
"2:4" keeps two of four neighbours; "50 % in 4s" keeps half of the aligned groups of four, at random.
TEXT
for isa in $isas; do
	file=$folder/$isa
	[ -s "$file" ] || { if [ "$isa" = all ]; then "$bench" --markdown --rounds="${ROUNDS:-9}"; else COPPICE_ISA=$isa "$bench" --markdown --rounds="${ROUNDS:-9}"; fi >"$file.part" && mv "$file.part" "$file"; } || exit 1
	printf '\n### This machine, %s\n\n' "$([ "$isa" = all ] && echo "all its instructions" || echo "$isa")"
	cat "$file"
done
printf '\n### Cortex-M4, emulated\n\n'
if command -v qemu-system-arm >/dev/null && command -v arm-none-eabi-gcc >/dev/null; then
	[ -s "$folder/m4" ] || { bench/layers.sh sparse >"$folder/m4.part" && mv "$folder/m4.part" "$folder/m4"; } || exit 1
	printf 'Zeros are at random. Instructions are exact, and counted for each multiplication of the dense layer.\n\n'
	awk -F' *[|] *' '/^\| layer/ { print "| layer | zeros | kernel | instructions a multiplication | dense / sparse | portable dense kernel | scratch, bytes |\n|---|---:|---|---:|---:|---:|---:|"; next } /^\|--/ { next }
		{ split($2, p, ", "); if (p[3] != "") p[2] = p[3]; if ($3 !~ /sparse|groups|pairs/) dense = $4; printf "| %s | %s | %s | %s | %.2f | %s | %s |\n", p[1], p[2], $3, $4, dense / $4, $5, $6 }' "$folder/m4"
else
	printf 'Not measured: needs arm-none-eabi-gcc and qemu-system-arm.\n'
fi
