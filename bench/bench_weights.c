/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_weights [NET] - how often a network's weights are in memory while something is done with it: the most bytes
 * that the context's allocator held during each job, and the same in units of the weights (resnet-18: 47 MB). Exact:
 * nothing is timed, and the program's own code and tables, about 10 MB, do not count.
 */
#include "coppice.h"

#include <stdio.h>
#include <stdlib.h>

static size_t now, peak;

static void *counted(void *ud, void *p, size_t osize, size_t nsize)
{
	void *q = NULL;

	(void)ud;
	if (nsize && !(q = realloc(p, nsize))) return NULL;
	if (!nsize) free(p);
	now += nsize - osize;
	if (now > peak) peak = now;
	return q;
}

static const char path[] = "bench_weights.cop.tmp";

static cop_status measure(cop_graph *g, cop_ctx *cx)
{
	cop_graph *line;
	cop_figures f;
	cop_target t;
	cop_plan *p = NULL;
	cop_status st = cop_target_find(&t, cx, "host");

	t.isa = 0;
	if (!st) st = cop_graph_outline(&line, g);
	if (st) return st;
	st = cop_graph_apply_in_place(&line, "to_infer fuse");
	if (!st) st = cop_plan_build(&p, &line, 1, &t);
	if (!st) st = cop_measure(&f, g, &t);
	cop_plan_free(p);
	cop_graph_free(line);
	return st;
}

static cop_status train(cop_graph *g, cop_ctx *cx)
{
	cop_graph *entry = NULL;
	cop_plan *p = NULL;
	cop_session *s = NULL;
	cop_target t;
	cop_status st = cop_target_find(&t, cx, "host");

	if (!st) st = cop_graph_train(&entry, g, "update=sgd momentum=0.9");
	if (!st) st = cop_plan_build(&p, &entry, 1, &t);
	if (!st) st = cop_session_new(&s, p, 1);
	if (!st) st = cop_session_pull(s, g);
	cop_session_free(s);
	cop_plan_free(p);
	cop_graph_free(entry);
	return st;
}

static cop_status job(int i, cop_graph **g, cop_ctx *cx)
{
	switch (i) {
	case 0: return COP_OK;
	case 1: return measure(*g, cx);
	case 2: return train(*g, cx);
	case 3: return cop_model_save(*g, path);
	case 4:
	case 6: cop_graph_free(*g); peak = now; return cop_model_load(g, cx, path);
	case 5: return cop_graph_apply(g, "to_infer fuse dce");
	case 7: return cop_graph_apply_in_place(g, "to_infer fuse dce");
	default: return cop_model_save(*g, path);
	}
}

static const char *const what[] = {"built, or read", "plan and figures (coppice inspect)",
	"training graph, plan, session, and back", "written as .cop", "read", "to_infer, the network kept until the end",
	"read again", "to_infer in place (coppice apply)", "written as .cop"};

int main(int argc, char **argv)
{
	const cop_alloc a = {counted, NULL};
	const char *net = argc > 1 ? argv[1] : "resnet-18";
	cop_ctx *cx;
	cop_graph *g = NULL;
	cop_layer l;
	double weights = 0;
	cop_status st = cop_ctx_new(&cx, &a);

	if (!st) st = cop_model_load(&g, cx, net);
	for (int32_t i = 0; !st && i < cop_graph_layers(g); i++)
		if (!(st = cop_graph_layer(g, i, &l))) weights += (double)l.weight_bytes;
	if (!st) printf("%s: %.0f bytes of weights\n", net, weights);
	for (int i = 0; !st && i < (int)(sizeof what / sizeof *what); i++) {
		if (i) peak = now;
		st = job(i, &g, cx);
		if (!st) printf("  %-44s %11zu bytes %5.2f times the weights\n", what[i], peak, (double)peak / weights);
	}
	if (st) fprintf(stderr, "bench_weights: %s\n", cx ? cop_error_text(cx) : cop_status_text(st));
	remove(path);
	cop_graph_free(g);
	if (cx) cop_ctx_free(cx);
	return -st;
}
