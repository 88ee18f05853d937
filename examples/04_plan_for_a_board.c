/* SPDX-License-Identifier: Apache-2.0
 *
 * 04 - plans inference and training for a board and prints what they take, before any code is written for it: the
 * whole network trained, its last layer alone, and updates in the order of frameworks for comparison.
 *
 *   ./example_04_plan_for_a_board [NAME or FILE.cop] [TARGET]
 */
#include <coppice.h>

#include <stdio.h>

static cop_status plan(cop_ctx *cx, const char *label, cop_graph *g, const cop_target *t)
{
	cop_plan *p;
	cop_status st = cop_plan_build(&p, &g, 1, t);

	if (st) {
		printf("%-34s %s\n", label, cop_error_text(cx));
		cop_error_clear(cx); /* a plan that does not fit is an answer here */
		return st == COP_BUDGET ? COP_OK : st;
	}
	printf("%-34s flash %8zu  parameters %8zu  state %8zu  arena %8zu (live %zu)\n", label,
	        cop_plan_bytes(p, COP_CONST), cop_plan_bytes(p, COP_PARAM), cop_plan_bytes(p, COP_STATE),
	        cop_plan_bytes(p, COP_TEMP), cop_plan_live(p));
	cop_plan_free(p);
	return COP_OK;
}

static cop_status train_and_plan(
        cop_ctx *cx, const char *label, const cop_graph *model, const char *spec, const cop_target *t)
{
	cop_graph *g;
	cop_status st = cop_graph_train(&g, model, spec);

	if (!st) st = plan(cx, label, g, t);
	cop_graph_free(g);
	return st;
}

static cop_status all(cop_ctx *cx, const char *name, const char *board)
{
	cop_graph *model = NULL, *infer = NULL;
	cop_target t, late;

	cop_status st = cop_target_find(&t, cx, board);
	if (!st) st = cop_model_load(&model, cx, name);
	if (!st) st = cop_graph_apply(&model, "batch:n=1");
	if (!st) st = cop_model_load(&infer, cx, name);
	if (!st) st = cop_graph_apply(&infer, "batch:n=1 to_infer fuse");
	if (!st) {
		late = t;
		late.late_updates = true;
		st = plan(cx, "inference", infer, &t);
	}
	if (!st) st = train_and_plan(cx, "training, updates at the end", model, "sgd momentum=0", &late);
	if (!st) st = train_and_plan(cx, "training, each update at once", model, "sgd momentum=0", &t);
	if (!st) st = train_and_plan(cx, "training of the last layer alone", model, "sgd momentum=0 layers=fc*", &t);
	cop_graph_free(infer);
	cop_graph_free(model);
	return st;
}

int main(int argc, char **argv)
{
	cop_ctx *cx;

	if (cop_ctx_new(&cx, NULL)) return 1;
	cop_status st = all(cx, argc > 1 ? argv[1] : "resnet-8", argc > 2 ? argv[2] : "cortex-m4");
	if (st) fprintf(stderr, "%s\n", cop_error_text(cx));
	cop_ctx_free(cx);
	return -st;
}
