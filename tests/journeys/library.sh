#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The C library: installed into an empty folder; a program of one's own and all examples built against that, by pkg-config and by
# CMake's find_package; the program trains, saves, loads, quantises, runs and emits. usage: library.sh path/to/coppice BUILD
. "${0%/*}/journey.sh"
has cmake ninja cc || skip "needs cmake, ninja and a C compiler"
[ -n "$build" ] || fail "the build folder of Coppice is missing"
usr=$here/usr
examples=$home/../../examples

# FOLDER with the programs in it: runs all of them, each in its own way.
programs() {
	mkdir "$1/here"
	go "$1/journey" "$1/here"
	says '^emitted'
	good=$(number integers)
	awk -v a="$good" 'BEGIN { exit !(a > 0.7) }' || fail "$good is poor"
	go "$1/02_train" "$1/net.cop"
	go "$1/01_run_a_model" "$1/net.cop"
	go "$1/04_plan_for_a_board"
	go "$1/05_emit_c" "$1/out" "$1/net.cop" cortex-m4
	go "$1/06_own_data"
	go "$1/07_graph_from_text"
	go "$1/09_two_clients"
	says "accuracy on samples that no client has"
}

go cmake --install "$build" --prefix "$usr"
PKG_CONFIG_PATH=$(dirname "$(find "$usr" -name coppice.pc)")
LD_LIBRARY_PATH=$(dirname "$(find "$usr" -name 'libcoppice.*' | head -n 1)")
export PKG_CONFIG_PATH LD_LIBRARY_PATH
PATH=$usr/bin:$PATH
go coppice --version

if has pkg-config; then
	mkdir by-hand
	for source in "$home/program/journey.c" "$examples"/*.c; do
		name=$(basename "$source" .c)
		# shellcheck disable=SC2046
		go cc -std=c11 -D_DEFAULT_SOURCE -Wall -Wextra -Werror $(pkg-config --cflags coppice) -o "by-hand/$name" "$source" $(pkg-config --libs coppice)
	done
	programs by-hand
else
	echo "left out: pkg-config is not here"
fi

go cmake -G Ninja -S "$home/program" -B by-cmake -DCMAKE_PREFIX_PATH="$usr" -DEXAMPLES="$examples"
go cmake --build by-cmake
go by-cmake/journey by-cmake
says '^emitted'
grep -q 'DIGITS_INPUT_SCALE' by-cmake/out/digits.h || fail "digits.h has no scale"
if has arm-none-eabi-gcc make; then
	go make -s -C by-cmake/out/check
else
	echo "left out: building what was emitted, without arm-none-eabi-gcc"
fi
