/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_device NET LAYERS [FOLDER STEPS] - training of an int8 network on a device: what a step takes, stage by stage, planned for a Cortex-M4; and,
 * of a FOLDER that `coppice emit --train --patch 0.3` wrote, whether STEPS steps there gave the parameters that they give here, bit for bit
 * (bench/on_device.sh). NET has bytes as inputs; LAYERS as in "qsgd layers=LAYERS", more options of the rule behind it. Nothing is timed.
 */
#include "plan/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY(cx, expr)                                                                                           \
	do {                                                                                                    \
		if (expr) {                                                                                     \
			fprintf(stderr, "bench_device: %s\n", cop_error_text(cx));                              \
			exit(1);                                                                                \
		}                                                                                               \
	} while (0)

static const float BANDS = 0.3f; /* as the script emits it */

/* The network with these layers trainable, in bands or not. */
static cop_graph *model(cop_ctx *cx, const char *file, const char *spec, bool bands)
{
	cop_graph *g;
	cop_target t;
	cop_patch done;
	int32_t n;

	TRY(cx, cop_model_load(&g, cx, file));
	TRY(cx, cop_graph_trainable(&g, spec, &n));
	TRY(cx, cop_target_find(&t, cx, "cortex-m4"));
	t.threads = 1;
	if (bands) TRY(cx, cop_graph_patch(&g, &t, BANDS, &done));
	return g;
}

/* ---- the staircase ---- */

static void stair(cop_ctx *cx, const char *what, const cop_graph *g, const char *spec, bool late)
{
	cop_graph *step;
	cop_target t;
	cop_plan *p;

	TRY(cx, cop_graph_train(&step, g, spec));
	TRY(cx, cop_target_find(&t, cx, "cortex-m4"));
	t.ram = t.flash = 0;
	t.threads = 1;
	t.late_updates = late;
	TRY(cx, cop_plan_build(&p, &step, 1, &t));
	const size_t *b = p->bytes;
	printf("| %s | %zu | %zu | %zu |\n", what, b[COP_SEG_ARENA], b[COP_SEG_PARAM] + b[COP_SEG_STATE], b[COP_SEG_ARENA] + b[COP_SEG_PARAM] + b[COP_SEG_STATE]);
	cop_plan_free(p);
	cop_graph_free(step);
}

static void staircase(cop_ctx *cx, const char *file, const char *some)
{
	const cop_zoo_args a = {.batch = 1, .classes = 10, .seed = 1};
	char bytes[4096];
	cop_graph *floats, *all = model(cx, file, "qsgd", false), *few = model(cx, file, some, false), *bands = model(cx, file, some, true);

	TRY(cx, cop_zoo_build(&floats, cx, "mobilenet-v2-0.35@128", &a));
	TRY(cx, cop_graph_apply(&floats, "to_infer fuse"));
	printf("| one step of training, batch 1 | arena | parameters and state | bytes of RAM |\n|---|---:|---:|---:|\n");
	stair(cx, "floats (that network of the zoo, batch norm folded), all layers, updates at the end", floats, "sgd momentum=0", true);
	stair(cx, "floats, each update at once", floats, "sgd momentum=0", false);
	stair(cx, "int8, all layers, updates at the end", all, "qsgd", true);
	stair(cx, "int8, each update at once", all, "qsgd", false);
	stair(cx, "the same, int8 errors", all, "qsgd errors=int8", false);
	stair(cx, "int8, some layers, updates at the end", few, some, true);
	stair(cx, "int8, some layers, each update at once", few, some, false);
	stair(cx, "the same, first layers in bands", bands, some, false);
	snprintf(bytes, sizeof bytes, "%s errors=int8", some);
	stair(cx, "the same, int8 errors", bands, bytes, false);
	cop_graph_free(floats);
	cop_graph_free(all);
	cop_graph_free(few);
	cop_graph_free(bands);
}

/* ---- the same steps here ---- */

static char *read_all(const char *folder, const char *name, size_t bytes)
{
	char path[1024], *data = malloc(bytes);
	snprintf(path, sizeof path, "%s/check/%s", folder, name);
	FILE *f = fopen(path, "rb");

	if (!f || !data || fread(data, 1, bytes, f) != bytes) {
		fprintf(stderr, "bench_device: %s cannot be read\n", path);
		exit(1);
	}
	fclose(f);
	return data;
}

/* The entries as emission has them; they say where parameters lie. */
static cop_plan *both(cop_ctx *cx, cop_graph *entry[2], const cop_graph *g, const char *spec)
{
	cop_target t;
	cop_plan *p;

	TRY(cx, cop_graph_copy(&entry[0], g));
	TRY(cx, cop_graph_apply(&entry[0], "fuse dce"));
	TRY(cx, cop_graph_train(&entry[1], g, spec));
	TRY(cx, cop_target_find(&t, cx, "cortex-m4"));
	t.isa = 0;
	t.ram = t.flash = 0;
	t.threads = 1;
	TRY(cx, cop_plan_build(&p, entry, 2, &t));
	return p;
}

static bool same_steps(cop_ctx *cx, const char *file, const char *spec, const char *folder, int steps)
{
	cop_graph *g = model(cx, file, spec, true), *entry[2];
	cop_plan *p = both(cx, entry, g, spec);
	cop_session *s;
	cop_tensor x, label, w;
	bool same = true;

	TRY(cx, cop_session_new(&s, p, 1));
	TRY(cx, cop_session_io(s, 1, 0, false, &x));
	TRY(cx, cop_session_io(s, 1, 1, false, &label));
	size_t nx = cop_type_bytes(&x.type), nl = cop_type_bytes(&label.type);
	char *in = read_all(folder, "x.bin", nx * (size_t)steps), *truth = read_all(folder, "label.bin", nl * (size_t)steps),
	     *block = read_all(folder, "parameters.bin", p->bytes[COP_SEG_PARAM]);
	for (int i = 0; i < steps; i++) {
		memcpy(x.data, in + (size_t)i * nx, nx);
		memcpy(label.data, truth + (size_t)i * nl, nl);
		TRY(cx, cop_session_run(s, 1));
	}
	for (int32_t i = 0; i < p->n_var; i++) {
		if (p->var[i].place.seg != COP_SEG_PARAM) continue;
		TRY(cx, cop_session_tensor(s, 1, p->var[i].name, &w));
		if (memcmp(block + p->var[i].place.off, w.data, cop_type_bytes(&w.type))) fprintf(stderr, "bench_device: %s differs\n", p->var[i].name), same = false;
	}
	free(in);
	free(truth);
	free(block);
	cop_session_free(s);
	cop_plan_free(p);
	cop_graph_free(entry[0]);
	cop_graph_free(entry[1]);
	cop_graph_free(g);
	return same;
}

int main(int argc, char **argv)
{
	char spec[4096];
	cop_ctx *cx;

	if ((argc != 3 && argc != 5) || cop_ctx_new(&cx, NULL)) {
		fprintf(stderr, "usage: bench_device NET LAYERS [FOLDER STEPS]\n");
		return 2;
	}
	snprintf(spec, sizeof spec, "qsgd layers=%s", argv[2]);
	if (argc == 3) staircase(cx, argv[1], spec);
	else puts(same_steps(cx, argv[1], spec, argv[3], atoi(argv[4])) ? "same_bits yes" : "same_bits no");
	cop_ctx_free(cx);
	return 0;
}
