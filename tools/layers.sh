#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Does every #include keep the order of docs/architecture.md? A folder of src may include the folders named here:
#   core      its own; cpu.c the names of instruction sets in kernel/kernel.h
#   kernel    its own, so that emitted C can ship it
#   graph     core; ops.h the list of operators, whose rows are those of op
#   op        graph, kernel     enc   graph, core     pass  op, enc, graph, core
#   plan      pass for figures.c, which measures the deployed form; emit and run stand on plan
#   io        graph, op: a file is checked against the ops' types        data  core alone
#   compress  train, data, io, pass: a recipe drives them; op for the integers that int8 ops carry
#   cli       coppice.h and its own
# And is every real number formatted and parsed by core/number.c, below src/cli? Else the locale of a program that uses the library
# decides what it writes. (cop__text_add, cop__error and cop__log format by it, too.)
# usage: tools/layers.sh [SOURCE_DIR]
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
grep -rn '^#include "' --include='*.c' --include='*.h' . | sed 's|^\./||' | awk '
BEGIN {
	may["core"] = "kernel"; may["kernel"] = ""; may["graph"] = "core"; may["op"] = "core graph kernel"
	may["enc"] = "core graph"; may["pass"] = "core graph op"; may["plan"] = "core graph op kernel pass"; may["run"] = "core graph kernel pass plan"
	may["emit"] = "core graph op kernel pass plan"; may["io"] = "core enc graph op"; may["data"] = "core"
	may["zoo"] = "core graph op"; may["train"] = "core data enc graph io op pass plan run"
	may["compress"] = "core data enc graph io op pass plan run train"; may["report"] = "core graph io"; may["cli"] = ""
}
{
	split($0, part, ":"); file = part[1]; from = file; sub("/.*", "", from)
	name = $0; sub("^[^\"]*\"", "", name); sub("\".*", "", name)
	to = name; if (!sub("/.*", "", to)) to = from
	n++
	if (!(from in may)) { print "src/" file ": no rule for the folder " from; bad = 1; next }
	if (name == "coppice.h" && from != "kernel") next
	if (from == "core" && to == "kernel" && !(file == "core/cpu.c" && name == "kernel/kernel.h")) { print "src/" file ":" part[2] ": core may not include " name; bad = 1; next }
	if (file ~ /^graph\/ops/ && name == "op/op.def") next
	if (to == from || index(" " may[from] " ", " " to " ")) next
	print "src/" file ":" part[2] ": " from " may not include " name; bad = 1
}
END { if (n < 100) { print "only " n " includes were found"; bad = 1 } exit bad }'
