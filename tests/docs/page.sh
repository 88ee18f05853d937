#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs what a page of the documentation says, in an empty folder: its ```python block becomes net.py, and each line of its ```sh
# blocks is run, as it stands, until one fails. usage: page.sh PAGE path/to/coppice
# Where something is missing that only some have, a sentence says what is done in its place:
#   PyTorch           net.onnx is a network that Coppice has trained and exported
#   compiler, QEMU    `coppice check` is left out
set -u
page=$(cd "$(dirname "$1")" && pwd)/${1##*/}
bin=$(cd "$(dirname "$2")" && pwd)
PATH=$bin:$PATH
here=$(mktemp -d) && cd "$here" || exit 2
trap 'rm -rf "$here"' EXIT

# The lines of all ```LANGUAGE blocks.
blocks() { awk -v fence='```' -v want="$1" '$0 == fence want { on = 1; next } index($0, fence) == 1 { on = 0 } on' "$page"; }

do_line() {
	echo "\$ $1"
	sh -c "$1" && return
	echo "${page##*/}: failed: $1"
	exit 1
}
has() { command -v "$1" >/dev/null; }

run() {
	case $1 in
	'python3 net.py'*)
		if ! python3 -c 'import torch, numpy, onnx, onnxscript' 2>/dev/null; then
			echo "PyTorch is not here: a network of Coppice's own takes the place of net.py's"
			do_line 'coppice train mlp-784x32x10 --data synth-digits --epochs 2 --quiet -o net.cop'
			do_line 'coppice export net.cop -o net.onnx'
			return
		fi ;;
	'coppice check'*)
		if ! has arm-none-eabi-gcc || ! has qemu-system-arm; then
			echo "arm-none-eabi-gcc or qemu-system-arm is not here: check is left out"
			return
		fi ;;
	esac
	do_line "$1"
}

blocks python >net.py
blocks sh >commands
[ -s commands ] || { echo "${page##*/}: no commands in \`\`\`sh blocks"; exit 1; }
while IFS= read -r line <&3; do
	[ -z "$line" ] || run "$line"
done 3<commands
echo "${page##*/}: $(grep -c . commands) commands"
