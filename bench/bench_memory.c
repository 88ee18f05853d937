/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_memory [BATCH] - bytes of the arena for a training step: updates at the end as frameworks do, each update right behind
 * its gradient, and the last two layers only; and for inference. Planned for a microcontroller (portable kernels, no
 * repacked weights), beside the largest live set, which no plan can beat. Exact: nothing is timed.
 */
#include "coppice.h"

#include <stdio.h>
#include <stdlib.h>

static cop_status plan(cop_ctx *cx, cop_graph *g, bool late, const char *what)
{
	cop_target t;
	cop_plan *p;
	cop_status st = cop_target_find(&t, cx, "cortex-m4");

	t.ram = t.flash = 0;
	t.late_updates = late;
	if (!st) st = cop_plan_build(&p, &g, 1, &t);
	if (st) return st;
	printf("  %-28s arena %9zu  live %9zu  %.3f   parameters and state %9zu\n", what, cop_plan_bytes(p, COP_TEMP), cop_plan_live(p),
		(double)cop_plan_bytes(p, COP_TEMP) / (double)cop_plan_live(p), cop_plan_bytes(p, COP_PARAM) + cop_plan_bytes(p, COP_STATE));
	cop_plan_free(p);
	return COP_OK;
}

static cop_status staircase(cop_ctx *cx, const char *net, int batch, const char *last_two)
{
	cop_zoo_args a = {.batch = batch, .seed = 1};
	cop_graph *g, *all = NULL, *last = NULL;
	char spec[128];
	cop_status st = cop_zoo_build(&g, cx, net, &a);

	if (st) return st;
	printf("%s, batch %d\n", net, batch);
	st = cop_graph_train(&all, g, "momentum=0");
	if (!st) st = plan(cx, all, true, "training, updates at the end");
	if (!st) st = plan(cx, all, false, "training, updates hoisted");
	snprintf(spec, sizeof spec, "momentum=0 layers=%s", last_two);
	if (!st) st = cop_graph_train(&last, g, spec);
	if (!st) st = plan(cx, last, false, "training, last two layers");
	if (!st) st = cop_graph_apply(&g, "to_infer fuse");
	if (!st) st = plan(cx, g, false, "inference");
	cop_graph_free(last);
	cop_graph_free(all);
	cop_graph_free(g);
	return st;
}

int main(int argc, char **argv)
{
	int batch = argc > 1 ? atoi(argv[1]) : 1;
	cop_ctx *cx;
	cop_status st = cop_ctx_new(&cx, NULL);

	if (!st) st = staircase(cx, "lenet-5", batch, "fc1*|fc2*");
	if (!st) st = staircase(cx, "mobilenet-v2-0.35@128", batch, "conv2.*|fc.*");
	if (st) fprintf(stderr, "bench_memory: %s\n", cx ? cop_error_text(cx) : cop_status_text(st));
	if (cx) cop_ctx_free(cx);
	return -st;
}
