#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Can the tests fail? Each mistake of tests/mutants.txt is made in a copy of the tree, what depends on it is built again, and
# the test that it names has to notice. usage: tools/mutants.sh [--check] [WORD]   WORD: only those whose paragraph has it
# --check: nothing is built; says which mistakes no longer have their line. tools/mistakes.py makes random ones.
# The copy lies in TMPDIR and is removed. JOBS: how many compilers.
set -u
check=
if [ "${1:-}" = --check ]; then
	check=1
	shift
fi
cd "$(dirname "$0")/.." || exit 2
jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
src=$work/src
build=$src/build # the program looks for recipes beside the folder that it lies in
log=$work/log

# The paragraphs as lines: what, file, from, to, test, with tabs between.
awk '/^what / { print "" } { print }' tests/mutants.txt | awk -v RS= -v FS='\n' -v word="${1:-}" '
	{ n = 0; split("", v) }
	{ for (i = 1; i <= NF; i++) if ($i ~ /^(what|file|from|to|test) /) { key = $i; sub(/ .*/, "", key); sub(/^[a-z]+[ \t]+/, "", $i); v[key] = $i; n++ } }
	n == 5 && index($0, word) { print v["what"] "\t" v["file"] "\t" v["from"] "\t" v["to"] "\t" v["test"] }
	n && n != 5 { print "mutants: a paragraph is not complete: " $0 >"/dev/stderr"; exit 1 }
' >"$work/table" || exit 2
[ -s "$work/table" ] || { echo "mutants: none in tests/mutants.txt fits '${1:-}'"; exit 2; }
tests=$(cut -f 5 "$work/table" | sort -u | tr '\n' ' ')
tab=$(printf '\t')

if [ "$check" ]; then
	stale=0
	while IFS=$tab read -r what file from to test; do
		times=$(grep -cF -- "$from" "$file" 2>/dev/null)
		[ "${times:-0}" = 1 ] && find tests -name "$test.c" | grep -q . && continue
		stale=$((stale + 1))
		echo "$file: '$from' ($what; $test): ${times:-0} times"
	done <"$work/table"
	echo "$stale of $(wc -l <"$work/table") mistakes have no line or no test"
	exit $((stale > 0))
fi

# Runs a test up to its first failure; says how it went.
run() {
	(cd "$build/tests" && { timeout "${LIMIT:-600}" "./$1"; echo "status $?"; }) 2>&1 | tee -a "$log" | awk '
		/\[  FAILED  \]/ { print "failed"; said = 1; exit }
		/^status / { print $2 == 0 ? "passed" : $2 == 124 ? "took too long" : "failed"; said = 1; exit }
		END { if (!said) print "failed" }'
}

mkdir "$src" || exit 2
git ls-files -z | tar cf - --null --ignore-failed-read -T - 2>/dev/null | tar xf - -C "$src" || exit 2
if ! { cmake -S "$src" -B "$build" -G Ninja && cmake --build "$build" -j "$jobs" --target $tests; } >"$log" 2>&1; then
	tail -n 20 "$log"
	echo "mutants: the tree does not build"
	exit 2
fi
for test in $tests; do
	how=$(run "$test")
	[ "$how" = passed ] && continue
	tail -n 20 "$log"
	echo "mutants: without any mistake $test $how"
	exit 2
done

total=0
survived=0
while IFS=$tab read -r what file from to test; do
	total=$((total + 1))
	cp "$src/$file" "$work/kept"
	if ! FROM=$from TO=$to awk '
		{ i = index($0, ENVIRON["FROM"]) }
		i { n++; $0 = substr($0, 1, i - 1) ENVIRON["TO"] substr($0, i + length(ENVIRON["FROM"])) }
		{ print }
		END { exit n != 1 }' "$work/kept" >"$src/$file"; then
		result='NOT MADE: the text does not stand in the file once'
	elif ! cmake --build "$build" -j "$jobs" --target "$test" >"$log" 2>&1; then
		result='DOES NOT BUILD'
	else
		case $(run "$test") in
		failed) result=caught ;;
		passed) result=SURVIVED ;;
		*) result='TOOK TOO LONG' ;;
		esac
	fi
	[ "$result" = caught ] || survived=$((survived + 1))
	printf '%-60s %-16s %s\n' "$what" "$test" "$result"
	cp "$work/kept" "$src/$file"
done <"$work/table"
echo "$((total - survived)) of $total mistakes caught"
exit $((survived > 0))
