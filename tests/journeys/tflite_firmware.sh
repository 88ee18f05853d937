#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# From a .tflite file to a firmware of one's own: a CMake project that has the emitted folder in it, its own start-up and main.c, the
# header's conversions and the names of the classes; built by clang and by gcc; run on an emulated board.
# usage: tflite_firmware.sh path/to/coppice BUILD
. "${0%/*}/journey.sh"
has cmake ninja arm-none-eabi-gcc qemu-system-arm || skip "needs cmake, ninja, arm-none-eabi-gcc and qemu-system-arm"

# COMPILER FOLDER: builds the firmware in FOLDER and runs it.
firmware() {
	go cmake -G Ninja -S "$2" -B "$2/build-$1" -DCMAKE_TOOLCHAIN_FILE="$home/firmware/$1.cmake"
	go cmake --build "$2/build-$1"
	go qemu-system-arm -M mps2-an386 -nographic -monitor none -serial none -semihosting-config enable=on,target=native -kernel "$2/build-$1/firmware"
	cp said "$2/answers-$1"
}
# FOLDER: with each compiler that is here.
firmwares() {
	firmware gcc "$1"
	if has clang ld.lld && echo 'int x;' | clang --target=arm-none-eabi -mcpu=cortex-m4 -x c -c -o /dev/null - 2>/dev/null; then
		firmware clang "$1"
	else
		echo "left out: clang for Arm and lld are not here"
	fi
}

# A model whose answers are known: pictures with a light in one corner.
mkdir corner kws
"$build/tests/corner" corner.tflite || fail "corner.tflite could not be written"
printf '%s\n' 'top left' 'top right' 'bottom left' 'bottom right' >names.txt
go coppice inspect corner.tflite
go coppice emit corner.tflite --target cortex-m4 --classes names.txt -o corner/net
cp "$home/firmware/CMakeLists.txt" "$home/firmware/main.c" "$home/firmware/startup.c" "$home/firmware/board.ld" corner
awk 'BEGIN {
	print "static const float samples[][NET_INPUT_SIZE] = {"
	for (k = 0; k < 4; k++) {
		printf "\t{"
		for (i = 0; i < 64; i++) printf "%s, ", int(i / 32) * 2 + int(i % 8 / 4) == k && i % 3 ? "0.8f" : "0.1f"
		print "},"
	}
	print "};"
}' >corner/samples.h
firmwares corner
for answers in corner/answers-*; do
	sed 's/ [0-9]* %$//' "$answers" | cmp - names.txt || fail "${answers#*-}: wrong answers"
done

# A public model, whose answers are those of `coppice check`.
model=${COPPICE_MODELS:-/nowhere}/mlperf-tiny/keyword_spotting/kws_ref_model.tflite
if [ -f "$model" ]; then
	i=0
	while [ $i -lt 12 ]; do echo "word $i"; i=$((i + 1)); done >words.txt
	go coppice emit "$model" --target cortex-m4 --classes words.txt -o kws/net
	cp corner/CMakeLists.txt corner/main.c corner/startup.c corner/board.ld kws
	# the four random inputs of `check`, as reals by the scale that net.h says
	od -An -v -td1 -w490 kws/net/check/x.bin | awk -v scale="$(sed -n 's/.*NET_INPUT_SCALE \(.*\)f$/\1/p' kws/net/net.h)" -v zero="$(sed -n 's/.*NET_INPUT_ZERO_POINT (\(.*\))$/\1/p' kws/net/net.h)" '
		BEGIN { print "static const float samples[][NET_INPUT_SIZE] = {" }
		{ printf "\t{"; for (i = 1; i <= NF; i++) printf "%.9ef, ", scale * ($i - zero); print "}," }
		END { print "};" }' >kws/samples.h
	firmwares kws
	go coppice check kws/net
	od -An -v -td1 -w12 kws/net/check/y.bin | awk '{ k = 1; for (i = 2; i <= NF; i++) if ($i > $k) k = i; printf "word %d %03d %%\n", k - 1, int(100 * ($k + 128) / 256 + 0.5) }' >expected
	for answers in kws/answers-*; do cmp "$answers" expected || fail "${answers#*-}: other answers than coppice check"; done
else
	echo "left out: MLPerf Tiny's keyword spotting, which is looked for in COPPICE_MODELS"
fi
