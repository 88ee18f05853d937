/* SPDX-License-Identifier: Apache-2.0
 *
 * guide - what a folder says of itself: README.md for people, CMakeLists.txt for a firmware that is built with CMake.
 */
#include "emit/emit.h"

static const char cmake[] =
	"# SPDX-License-Identifier: Apache-2.0\n"
	"# In the CMakeLists.txt of your program:\n"
	"#   add_subdirectory(path/to/this/folder)\n"
	"#   target_link_libraries(your_program PRIVATE @)\n"
	"cmake_minimum_required(VERSION 3.13)\n"
	"project(@ C)\n";

/* Text with the network's name for '@'. */
static void put_named(cop_text *o, const cop_emission *e, const char *text)
{
	for (; *text; text++)
		if (*text == '@') cop__text_add(o, "%s", e->name);
		else cop__text_bytes(o, text, 1);
}

static cop_status write_cmake(const cop_emission *e)
{
	cop_text o;

	cop__text_init(&o, e->cx);
	put_named(&o, e, cmake);
	cop__text_add(&o, "add_library(%s STATIC", e->name);
	cop__emit_sources(&o, e, 'c', false);
	put_named(&o, e, ")\n"
		"target_include_directories(@ PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})\n"
		"set_target_properties(@ PROPERTIES C_STANDARD 99)\n"
		"if(CMAKE_C_COMPILER_ID MATCHES \"GNU|Clang\") # -ffp-contract=off: the same bits everywhere\n"
		"  target_compile_options(@ PRIVATE -ffp-contract=off -fno-math-errno -ffunction-sections -fdata-sections)\n"
		"  if(NOT CMAKE_BUILD_TYPE OR CMAKE_BUILD_TYPE STREQUAL \"Debug\") # unoptimised, a run takes many times as long\n"
		"    target_compile_options(@ PRIVATE -Os)\n"
		"  endif()\n"
		"  set_property(SOURCE");
	size_t before = o.len;
	cop__emit_sources(&o, e, 'c', true);
	if (o.len == before) cop__text_add(&o, " %s.c", e->name);
	cop__text_add(&o, " APPEND PROPERTY COMPILE_OPTIONS -O2) # what takes the time\nendif()\n");
	return cop__emit_text(e, "CMakeLists.txt", &o);
}

/* ---- README.md ---- */

static void put_files(cop_text *o, const cop_emission *e)
{
	put_named(o, e, "## What to copy\n\n"
		"Everything except the folder `check`. The code needs no library, no operating system, and no allocated memory.\n\n"
		"| file | what it is |\n|---|---|\n"
		"| `@.h` | the interface: sizes, scales, functions. The only file that your program includes |\n"
		"| `@.c` | the network: its weights, its memory, and the calls of the kernels |\n"
		"| `cop_*.c`, `cop_*.h` | the kernels |\n"
		"| `CMakeLists.txt` | makes a static library `@` of these files, for `add_subdirectory` |\n"
		"| `@.mk` | the same for make |\n"
		"| `coppice.manifest` | the list of files that `coppice emit` wrote; the next time it replaces only these |\n"
		"| `check/` | a program that runs the network on files, here or in an emulator, for "
		"`coppice check`; not for your program |\n\n");
}

static void put_memory(cop_text *o, const cop_emission *e)
{
	const size_t *bytes = e->plan->bytes;

	cop__text_add(o, "## Memory\n\n| | bytes |\n|---|---:|\n"
		"| flash: weights | %zu |\n| RAM: static arrays, including inputs and outputs | %zu |\n", e->flash, e->ram);
	if (bytes[COP_SEG_FAST])
		cop__text_add(o, "| thereof in a second, fast RAM (section `.bss.fast`) | %zu |\n", bytes[COP_SEG_FAST]);
	if (cop__emit_codes(e, false) || cop__emit_codes(e, true))
		cop__text_add(o, "\nWeights of some layers lie in flash in fewer bits. They are decoded into the static arrays "
			"before their layer runs, in every run.\n");
	cop__text_add(o, "\nCode and stack are not included. `coppice check FOLDER` builds everything, measures "
		"both, and counts instructions if the\n"
		"target is an emulated board.\n\n");
}

/* Fills, runs and reads the first input and output, in reals where they are integers with a scale. */
static void put_example(cop_text *o, const cop_emission *e)
{
	const cop_graph *g = e->graph[COP_EMIT_INFER];
	const cop_type *x = cop__t(g, g->input[0]), *y = cop__t(g, g->output[0]);
	bool xq = cop__emit_has_scale(x), yq = cop__emit_has_scale(y);

	put_named(o, e, "## How to call it\n\n```c\n#include \"@.h\"\n\n");
	cop__text_add(o, "void example(const %s *sample, %s *result) /* %lld numbers, and %lld */\n{\n",
		xq ? "float" : cop__emit_ctype(x), yq ? "float" : cop__emit_ctype(y),
		(long long)cop_type_count(x), (long long)cop_type_count(y));
	put_named(o, e, "\t@_init(); /* once, before the first run */\n");
	cop__text_add(o, xq ? "\t%s_input_set(sample); /* converts real numbers with the scale of the input */\n"
		: "\tfor (int i = 0; i < %s_INPUT_SIZE; i++) ", xq ? e->name : e->upper);
	if (!xq) put_named(o, e, "@_input()[i] = sample[i];\n");
	put_named(o, e, "\t@_run();\n");
	cop__text_add(o, yq ? "\t%s_output_get(result);\n" : "\tfor (int i = 0; i < %s_OUTPUT_SIZE; i++) ",
		yq ? e->name : e->upper);
	if (!yq) put_named(o, e, "result[i] = @_output()[i];\n");
	put_named(o, e, "}\n```\n\nA run also uses the memory of inputs and outputs for other values. So fill "
		"every input before each run, and read the outputs before the next\n"
		"one. Only one run of this network at a time; functions of other networks may run in between.\n\n");
}

static void put_list(cop_text *o, const char *what, const float *v, int32_t n)
{
	cop__text_add(o, "%s", what);
	for (int32_t i = 0; i < n; i++) cop__text_add(o, "%s %.9g", i ? "," : "", (double)v[i]);
}

/* What the firmware does to its numbers first: scaling is of the samples, not of the network. */
static void put_scaling(cop_text *o, const cop_emission *e)
{
	const cop_samples *s = &e->model->samples;
	const float times = s->times > 0 ? s->times : 1;

	if (times == 1 && !s->channels) return;
	cop__text_add(o, "## Scale your samples first\n\nThe network was made for samples that are scaled. Do the same to each number `x` before you pass it on:\n\n"
		"    x = (%.9g * x - mean) / std\n\n", (double)times);
	put_list(o, "- mean:", s->channels ? s->mean : &(float){0}, COP_MAX(s->channels, 1));
	put_list(o, "\n- std:", s->channels ? s->std : &(float){1}, COP_MAX(s->channels, 1));
	cop__text_add(o, "\n\n%s", s->channels > 1 ? "There is one of each for every channel, or for every column if the samples have one channel.\n\n" : "");
}

static cop_status write_readme(const cop_emission *e)
{
	char plain[96];
	cop_text o;

	cop__text_init(&o, e->cx);
	cop__text_add(&o, "# %s: the network '%s' as C\n\nWritten by Coppice %s for the target %s.\n\n", e->name,
		cop__emit_plain(plain, e->model->name), COP_VERSION, e->plan->target.name);
	put_files(&o, e);
	put_example(&o, e);
	put_scaling(&o, e);
	put_memory(&o, e);
	put_named(&o, e, "## How to build it\n\nWith CMake: `add_subdirectory(this/folder)`, then "
		"`target_link_libraries(your_program PRIVATE @)`.\n"
		"Without CMake: compile all `.c` files here, but not those in `check/`, with `-O2` and "
		"`-ffp-contract=off`. To save flash, use `-Os` except for the files that `HOT` in `@.mk` lists.\n"
		"Any C99 compiler will do. C++ programs can include `@.h` directly.\n\n"
		"To use several networks in one program, emit each with its own `--name` into its own "
		"folder. Kernels that they share are linked once.\n");
	return cop__emit_text(e, "README.md", &o);
}

cop_status cop__emit_guide(const cop_emission *e)
{
	COP_TRY(write_cmake(e));
	return write_readme(e);
}
