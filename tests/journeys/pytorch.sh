#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A CNN and a GRU of PyTorch to a board: what PyTorch's exporter wrote is read, gives PyTorch's scores, becomes integers, and runs on a
# Cortex-M4 with the same bits, in the RAM and flash that were announced. The files are those of torch_nets.txt, and where PyTorch is
# installed those of its own version as well. usage: pytorch.sh path/to/coppice BUILD
. "${0%/*}/journey.sh"

# FOLDER with net.onnx, x.npy, y.npy and PyTorch's out.npy; MACHINE: its whole way.
whole_way() {
	go coppice inspect "$1/net.onnx"
	go coppice data export "$1/x.npy" --for "$1/net.onnx" -o "$1-x.npy"
	go coppice run "$1/net.onnx" "$1-x.npy" -o "$1-y.npy"
	near "$1-y.npy" "$1/out.npy" 0.001
	go coppice eval "$1/net.onnx" --data "$1" --split all
	floats=$(number accuracy)
	[ "${floats%.*}" -ge 90 ] || fail "$floats % is poor"
	go coppice quantize "$1/net.onnx" --data "$1/x.npy" --int8-io -o "$1.cop"
	go coppice eval "$1.cop" --data "$1" --split all
	integers=$(number accuracy)
	awk -v a="$floats" -v b="$integers" 'BEGIN { exit !(b >= a - 4) }' || fail "integers: $integers % of $floats %"
	go coppice emit "$1.cop" --target "$2" ${3:-} ${4:-} ${5:-} ${6:-} -o "$1-out"
	grep -q 'int8_t \*net_input' "$1-out/net.h" || fail "the input is not int8"
	go coppice check "$1-out"
	says 'same bits as on this machine'
	[ "$2" = host ] || measured "$1-out"
}
# FOLDER: what `check` has just measured is what net.h says: all weights, and all static memory but the harness's own.
measured() {
	weights=$(sed -n 's/.*_FLASH_BYTES \([0-9]*\).*/\1/p' "$1/net.h")
	static=$(sed -n 's/.*_RAM_BYTES \([0-9]*\).*/\1/p' "$1/net.h")
	[ "$(number weights)" = "$weights" ] || fail "net.h announces $weights bytes of weights"
	more=$(($(number '.data + .bss') - static))
	[ $more -ge 0 ] && [ $more -lt 200 ] || fail "net.h announces $static bytes of static memory"
}
both() {
	for net in cnn gru; do
		if has arm-none-eabi-gcc qemu-system-arm; then
			whole_way $net cortex-m4 --ram 4K --flash 16K
		else
			echo "arm-none-eabi-gcc or qemu-system-arm is not here: the C runs on this machine"
			whole_way $net host
		fi
	done
}

mkdir stored
cd stored || exit 2
while read -r file text; do
	mkdir -p "${file%/*}"
	echo "$text" | base64 -d >"$file" || fail "$file can't be unpacked"
done <"$home/torch_nets.txt"
both

if ! python3 -c 'import torch, numpy, onnx, onnxscript' 2>/dev/null; then
	echo "left out: networks that are exported here, for python3 has no torch, numpy, onnx and onnxscript"
	exit 0
fi
mkdir ../fresh
cd ../fresh || exit 2
go python3 "$home/torch_nets.py" .
both
