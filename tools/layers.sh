#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Do includes and calls keep the order of docs/architecture.md? A folder of src may include, and call functions of, the folders that
# the table below names: those beneath it that it needs. Single files may do more:
#   core/cpu.c     the names of instruction sets in kernel/kernel.h
#   graph          the lists op/op.def and enc/enc.def: it numbers operators and encodings, whose rows are those of op and enc
#   io/model.c     a graph from a file or from a name of the zoo
# The README.md of each folder says the same. kernel keeps to itself, so that emitted C can ship it; cli has coppice.h alone. Tables of data (operators, passes, data sets) may name rows above.
# Do the files stand in no circle? What calls functions of another file, or has them in a table of its own, stands above it; a header
# belongs to whoever includes it. Calls are read from the symbols of a build's objects.
# And is every real number formatted and parsed by core/number.c, below src/cli? Else the locale of a program that uses the library
# decides what it writes. (cop__text_add, cop__error and cop__log format by it, too.)
# usage: tools/layers.sh [SOURCE_DIR [BUILD_DIR [NM]]]   without BUILD_DIR calls are not looked at
build=${2:+$(cd "$2" && pwd)} || exit 2
nm=${3:-nm}
cd "${1:-$(dirname "$0")/..}/src" || exit 2
real=$(find . -name '*.[ch]' ! -path './cli/*' ! -path './kernel/*' ! -path './core/number.c' -print0 | xargs -0 awk '
	{ said = said $0 }
	/[;{}]$/ {
		if (said ~ /[^_a-z](strtof|strtod|strtold|atof|setlocale|vsnprintf|vsprintf)\(/ ||
			said ~ /[^_a-z](snprintf|sprintf|fprintf|printf|sscanf|fscanf)\(.*"[^"]*%[-+ #0-9.*]*l?[aefgAEFG]/)
			print FILENAME ":" FNR ": real numbers are formatted and parsed by core/number.c"
		said = ""
	}' | sed 's|^\./|src/|')
[ -z "$real" ] || { echo "$real"; exit 1; }

# COP_MIN and COP_MAX evaluate their arguments twice: nothing in them may change anything.
twice=$(grep -rnE 'COP_(MIN|MAX)\([^;]*((\+\+|--)[a-z]|[a-z0-9_](\+\+|--))' --include='*.[ch]' . | grep -v 'define COP_' | sed 's|^\./|src/|')
[ -z "$twice" ] || { echo "$twice"; echo "an argument of COP_MIN or COP_MAX changes something, and is evaluated twice"; exit 1; }

includes() { grep -rn '^#include "' --include='*.c' --include='*.h' . | sed 's|^\./|include |'; }

# "source FILE" for each file of src, "symbol FILE NAME TYPE ..." for each symbol of its object.
symbols() {
	[ -n "$build" ] || return 0
	find . -name '*.c' | sed 's|^\./|source |'
	find "$build/CMakeFiles" -path '*.dir/src/*' \( -name '*.c.o' -o -name '*.c.obj' \) -print0 | xargs -0 "$nm" -A -P | sed 's|^.*\.dir/src/|symbol |; s|\.o\(bj\)*: | |'
}

readmes() { grep '^May use: ' */README.md | sed 's|/README.md:| |; s|^|readme |'; }

{ includes; symbols; readmes; } | awk -v calls="${build:+1}" '
BEGIN {
	may["core"] = ""
	may["kernel"] = ""
	may["graph"] = "core"
	may["op"] = "core graph kernel"
	may["enc"] = "core graph kernel"
	may["pass"] = "core graph op enc kernel"
	may["plan"] = "core graph op enc kernel pass"
	may["run"] = "core graph op kernel pass plan"
	may["emit"] = "core graph op enc kernel pass plan train"
	may["zoo"] = "core graph op"
	may["io"] = "core graph op enc pass"
	may["data"] = "core graph"
	may["train"] = "core graph op enc pass plan run io data"
	may["explain"] = "core graph op pass plan run data train"
	may["compress"] = "core graph op enc kernel pass plan run io data train"
	may["search"] = "core graph op pass plan run zoo io data train compress"
	may["report"] = "core graph plan io explain"
	may["cli"] = ""
	one["core/cpu.c"] = "kernel"
	one["io/model.c"] = "zoo"
}
function top(file) { sub("/.*", "", file); return file }
function fail(text) { print text; bad = 1 }
function allowed(file, to,    from) {
	from = top(file)
	if (!(from in may)) { fail("src/" file ": no rule for the folder " from); return 1 }
	return from == to || index(" " may[from] " " one[file] " ", " " to " ")
}
$1 == "include" {
	split($2, part, ":"); file = part[1]; name = $0
	sub("^[^\"]*\"", "", name); sub("\".*", "", name)
	n_include++
	if (name == "coppice.h" && top(file) != "kernel") next
	if (top(file) == "graph" && (name == "op/op.def" || name == "enc/enc.def")) next
	if (name ~ /\// && !allowed(file, top(name))) fail("src/" part[1] ":" part[2] ": " top(file) " may not include " name)
}
$1 == "readme" { # of a folder: names in backquotes, as many as the table has and each of them
	said = 0
	for (i = 5; i <= NF; i++)
		if ($i ~ /^`[a-z]+`/) { name = $i; gsub(/[`.,]/, "", name); said++; if (!index(" " may[$2] " ", " " name " ")) fail("src/" $2 "/README.md: it may not use " name) }
	if ($2 != "cli" && said != split(may[$2], part, " ")) fail("src/" $2 "/README.md: it may use: " may[$2])
	n_readme++
}
$1 == "source" { is_source[$2] = 1 }
$1 == "symbol" && ($4 == "T" || $4 == "U") {
	if (!($2 in is_source)) next # an object that an older tree has left
	if ($4 == "T") home[$3] = $2
	else { caller[++n_call] = $2; callee[n_call] = $3 }
}
END {
	for (i = 1; i <= n_call; i++) {
		file = caller[i]; to = home[callee[i]]
		if (to == "" || to == file) continue
		if (top(file) == "cli" ? callee[i] ~ /^_?cop__/ : !allowed(file, top(to))) fail("src/" file ": " top(file) " may not call " callee[i] " of src/" to)
		n_edge++
		from[n_edge] = file; onto[n_edge] = to; by[n_edge] = callee[i]; left[n_edge] = 1
	}
	do { # whoever calls nobody that is left, or is called by nobody, stands in no circle
		split("", out); split("", in_); again = 0
		for (i = 1; i <= n_edge; i++) if (left[i]) { out[from[i]]++; in_[onto[i]]++ }
		for (i = 1; i <= n_edge; i++) if (left[i] && (!(onto[i] in out) || !(from[i] in in_))) { left[i] = 0; again = 1 }
	} while (again)
	for (i = 1; i <= n_edge; i++) if (left[i]) fail("src/" from[i] " stands in a circle: it calls " by[i] " of src/" onto[i])
	for (name in may) n_may++
	if (n_readme != n_may) fail("of " n_may " folders " n_readme + 0 " have a README.md that says what they may use")
	if (n_include < 100) fail("only " n_include + 0 " includes were found")
	if (calls && n_edge < 1000) fail("only " n_edge + 0 " calls were found: is the library built?")
	exit bad
}'
