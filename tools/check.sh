#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The slower checks, a line of result each; fails if one of them fails. usage: tools/check.sh [NAME...]
#   sanitize  every test under the address, leak and undefined-behaviour sanitizers
#   gcc clang every test, warnings being errors
#   core      every test without the optional libraries
#   fuzz      every reader, and all that what was read goes through, for FUZZ_SECONDS (20), beginning with small files that the program itself writes and those in
#             tests/fuzz/corpus, which fuzzing made of them: each reaches code that the former do not (found by -merge=1)
#   random    a thousand random graphs, or RANDOM_GRAPHS, each computed in every way there is
#   arm       the kernels and the engine on 64-bit ARM, cross-compiled and emulated
#   mutants   deliberate mistakes, each of which a test has to notice (tests/mutants.txt)
# Build trees and logs: build/check-NAME and build/check-NAME.log, or in CHECK_OUT. JOBS: how many at a time.
set -u
cd "$(dirname "$0")/.." || exit 2
out=${CHECK_OUT:-build}
jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
mkdir -p "$out" || exit 2
out=$(cd "$out" && pwd)
skipped=77
tools/setup.sh check || echo "check: some tools could not be installed; what needs them is left out"
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1

# build OPTION...: configures $dir and builds $target of it
build() { cmake -S . -B "$dir" -G Ninja "$@" && cmake --build "$dir" -j "$jobs" --target "$target"; }
# tests OPTION...: runs the tests of $dir; their count becomes the note
tests() {
	(cd "$dir" && ctest -j "$jobs" --output-on-failure "$@") >"$dir/ctest.log" 2>&1
	status=$?
	cat "$dir/ctest.log"
	note=$(sed -n 's/^\([0-9]*\)% tests passed, \([0-9]*\) tests failed out of \([0-9]*\)$/\3 tests, \2 failed/p' "$dir/ctest.log")
	return $status
}
# need COMMAND: or the check is left out
need() {
	command -v "$1" >/dev/null && return
	note="$1 is not installed"
	return $skipped
}

check_sanitize() { build -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG='-O1 -g' -DCOP_SANITIZE=ON && tests; }
check_gcc() { need gcc || return; build -DCMAKE_C_COMPILER=gcc -DCMAKE_C_FLAGS=-Werror && tests; }
check_clang() { need clang || return; build -DCMAKE_C_COMPILER=clang -DCMAKE_C_FLAGS=-Werror && tests; }
check_core() { build -DCOP_CORE_ONLY=ON && tests; }

check_random() {
	target=test_random
	build || return
	COPPICE_RANDOM=${RANDOM_GRAPHS:-1000} COPPICE_RANDOM_FROM=${RANDOM_FROM:-51} "$dir/tests/test_random" >"$dir/random.log" 2>&1
	status=$?
	cat "$dir/random.log"
	note=$(grep '^seeds' "$dir/random.log")
	return $status
}

# Left out: what starts programs of the other machine, and ten training steps of MobileNet.
check_arm() {
	need aarch64-linux-gnu-gcc && need qemu-aarch64 || return
	build -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64-linux-gnu.cmake -DCOP_CORE_ONLY=ON -DCMAKE_C_FLAGS=-Werror && tests -E 'test_(cli|emit|reference)|layers'
}

check_mutants() { # its last line is the count
	mkdir -p "$dir"
	TMPDIR=$dir tools/mutants.sh >"$dir/found" 2>&1
	status=$?
	cat "$dir/found"
	note=$(tail -n 1 "$dir/found")
	return $status
}

# Each reader for FUZZ_SECONDS, beginning with files of our own, new ones beside the first; how many inputs it took is in the note.
check_fuzz() {
	need clang || return
	target=fuzzers
	build -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG='-O1 -g' -DCMAKE_C_COMPILER=clang -DCOP_FUZZ=ON || return
	rm -rf "$dir/corpus" && mkdir "$dir/corpus" && "$dir/tests/seeds" "$dir/corpus" || return
	status=0
	for fuzzer in "$dir"/tests/fuzz_*; do
		[ -x "$fuzzer" ] || continue
		kind=${fuzzer##*/fuzz_}
		words=
		[ -f "$dir/corpus/$kind.dict" ] && words=-dict=$dir/corpus/$kind.dict
		mkdir -p "$dir/corpus/$kind"
		"$fuzzer" $words -max_total_time="${FUZZ_SECONDS:-20}" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1 \
			-artifact_prefix="$dir/$kind-" "$dir/corpus/$kind" "tests/fuzz/corpus/$kind" >"$dir/$kind.log" 2>&1 || { status=1; tail -n 60 "$dir/$kind.log"; note="$note $kind FAILED,"; continue; }
		note="$note $kind $(sed -n 's/^stat::number_of_executed_units: //p' "$dir/$kind.log"),"
	done
	note="inputs:${note%,}"
	return $status
}

failures=0
for name in ${*:-sanitize gcc clang core random fuzz arm mutants}; do
	dir=$out/check-$name
	note=
	target=all
	began=$(date +%s)
	"check_$name" >"$dir.log" 2>&1
	case $? in
	0) result=ok ;;
	$skipped) result='left out' ;;
	*) result=FAILED failures=$((failures + 1)) note="$note; see $dir.log" ;;
	esac
	printf '%-10s %-9s %5d s  %s\n' "$name" "$result" $(($(date +%s) - began)) "$note"
done
exit $((failures > 0))
