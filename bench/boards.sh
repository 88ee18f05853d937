#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What networks cost on an emulated board: for each file, emits it, runs it on four sets of random inputs, compares every bit
# with this machine's, and prints a row of a table. Instructions are exact; RAM is .data + .bss + stack; code counts the harness.
# EMIT has further options of `coppice emit`, as in EMIT="--rounding single".
# usage: bench/boards.sh COPPICE TARGET FILE...     a file that is not there is named and skipped
if [ $# -lt 3 ]; then
	sed -n 's/^# usage/usage/p' "$0" >&2
	exit 2
fi
bin=$1 target=$2
shift 2
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
field() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$out/json"; }
printf '| network, on %s | instructions | RAM | of it stack | code | weights |\n|---|---:|---:|---:|---:|---:|\n' "$target"
for file; do
	name=$(basename "$file")
	rm -rf "$out/net"
	if [ ! -e "$file" ]; then
		echo "$name: not there" >&2
	elif "$bin" emit "$file" --target "$target" ${EMIT:-} -o "$out/net" -q 2>"$out/said" && "$bin" check "$out/net" --json >"$out/json" 2>"$out/said"; then
		printf '| %s | %s | %s | %s | %s | %s |\n' "$name" "$(field instructions)" "$(field ram_bytes)" "$(field stack_bytes)" "$(field code_bytes)" "$(field weight_bytes)"
	else
		printf '| %s | %s |\n' "$name" "$(sed 's/^coppice: //' "$out/said")"
	fi
done
