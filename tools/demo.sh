#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The main job on real input: train a network, make it small, run it as C here and on an emulated microcontroller, and
# draw the page about it. Everything lands in build/demo. usage: tools/demo.sh path/to/coppice
set -eu
cd "$(dirname "$0")/.."
bin=${1:-build/coppice}
out=${DEMO_OUT:-build/demo}
epochs=${DEMO_EPOCHS:-20}
recipe=${DEMO_RECIPE:-recipes/deep-compression.yaml}
if [ -z "${COPPICE_DATA:-}" ] && [ -d ../shared/data ]; then
	COPPICE_DATA=$(cd ../shared/data && pwd)
	export COPPICE_DATA
fi

say() { printf '\n== %s\n' "$*"; }
# one number of a JSON object
field() { sed -n 's/.*"'"$2"'":\([-0-9.e+]*\).*/\1/p' "$1"; }
mkdir -p "$out"
began=$(date +%s)

data=mnist
if ! "$bin" data check mnist >/dev/null 2>&1; then
	data=synth-digits
	echo "MNIST is not installed (set COPPICE_DATA, or run \`$bin data get mnist\`), so this uses drawn digits."
fi

say "1/6 training lenet-300-100 on $data, $epochs epochs"
"$bin" train lenet-300-100 --data $data --epochs "$epochs" -o "$out/net.cop"
"$bin" eval "$out/net.cop" --data $data

say "2/6 compressing with $recipe"
"$bin" compress "$out/net.cop" --recipe "$recipe" --data $data -o "$out/small.cop" --verbose
"$bin" eval "$out/small.cop" --data $data

say "3/6 what is left"
"$bin" inspect "$out/small.cop"

say "4/6 as C on this machine"
"$bin" data export $data --limit 100 -o "$out/x.npy" >/dev/null
COPPICE_ISA=ref "$bin" run "$out/small.cop" "$out/x.npy" -o "$out/y.npy"
# the results of one sample follow the header of y.npy; the emitted program reads and writes raw values
values=$((100 * 784 * 4))
scores=$((100 * 10 * 4))
tail -c $scores "$out/y.npy" >"$out/y.expected"
rm -rf "$out/host" "$out/cortex-m4"
"$bin" emit "$out/small.cop" --target host -o "$out/host"
tail -c $values "$out/x.npy" >"$out/host/check/x.bin"
make -s -C "$out/host/check" run
host=different
if cmp -s "$out/host/check/y.bin" "$out/y.expected"; then host="same bits"; fi
echo "100 samples, emitted program compared with coppice run (portable kernels): $host"

say "5/6 as C on an emulated Cortex-M4"
board="not run: arm-none-eabi-gcc or qemu-system-arm is not installed"
instructions=
if command -v arm-none-eabi-gcc >/dev/null && command -v qemu-system-arm >/dev/null; then
	"$bin" emit "$out/small.cop" --target cortex-m4 -o "$out/cortex-m4"
	tail -c $values "$out/x.npy" >"$out/cortex-m4/check/x.bin"
	make -s -C "$out/cortex-m4/check" run | tee "$out/cortex-m4/log"
	instructions=$(sed -n 's/^instructions //p' "$out/cortex-m4/log")
	board=different
	if cmp -s "$out/cortex-m4/check/y.bin" "$out/y.expected"; then board="same bits"; fi
fi
echo "Cortex-M4: $board"

say "6/6 the page"
"$bin" report "$out/small.cop" -o "$out/report.html"

"$bin" eval "$out/net.cop" --data $data --json >"$out/net.eval.json"
"$bin" eval "$out/small.cop" --data $data --json >"$out/small.eval.json"
"$bin" inspect "$out/net.cop" --json | sed 's/"layers":\[[^]]*\],//' >"$out/net.json"
"$bin" inspect "$out/small.cop" --json | sed 's/"layers":\[[^]]*\],//' >"$out/small.json"
"$bin" bench "$out/net.cop" --seconds 0.5 --json >"$out/net.bench.json"
"$bin" bench "$out/small.cop" --seconds 0.5 --json >"$out/small.bench.json"
row() { printf '%-34s %14s %14s   %s\n' "$@"; }
percent() { awk -v v="$1" 'BEGIN { printf "%.2f %%", 100 * v }'; }
factor() { awk -v a="$1" -v b="$2" 'BEGIN { if (b > 0) printf "/ %.1f", a / b }'; }
short() { awk -v v="$1" 'BEGIN { printf (v == int(v) || v >= 1000 ? "%.0f" : "%.4g"), v }'; }
line() {
	a=$(field "$out/net.$3" "$2")
	b=$(field "$out/small.$3" "$2")
	: "${a:?the figure $2 of $out/net.$3 is missing}" "${b:?the figure $2 of $out/small.$3 is missing}"
	row "$1" "$(short "$a")" "$(short "$b")" "$(factor "$a" "$b")"
}
printf '\n'
row "$data, lenet-300-100" before after change
row "test accuracy" "$(percent "$(field "$out/net.eval.json" accuracy)")" "$(percent "$(field "$out/small.eval.json" accuracy)")" ""
dense=$(field "$out/net.json" dense_bytes)
file=$(field "$out/small.json" file_bytes)
: "${dense:?a figure of inspect is missing}" "${file:?a figure of inspect is missing}"
row "file bytes (before: 4/parameter)" "$dense" "$file" "$(factor "$dense" "$file")"
line "flash bytes (weights)" flash_bytes json
line "RAM bytes (one sample)" ram_bytes json
line "multiply-accumulates" macs json
line "energy, nJ (estimate)" energy_nj_estimate json
line "milliseconds here, one sample" milliseconds bench.json
row "emitted C on this machine" "" "$host" ""
row "emitted C on a Cortex-M4 (QEMU)" "" "$board" "${instructions:+$instructions instructions}"
printf '\n%s s; the page: %s/report.html\n' "$(($(date +%s) - began))" "$(cd "$out" && pwd)"
[ "$host" = "same bits" ] && { [ "$board" = "same bits" ] || [ "${board%%:*}" = "not run" ]; }
