/* SPDX-License-Identifier: Apache-2.0
 *
 * 01 - builds a network of the zoo and runs it: graph, plan, session.
 *
 *   ./example_01_run_a_model [NAME or FILE.cop]
 */
#include <coppice.h>

#include <stdio.h>

static cop_status run(cop_ctx *cx, const char *name)
{
	cop_graph *g = NULL;
	cop_plan *plan = NULL;
	cop_session *s = NULL;
	cop_target host;
	cop_tensor x, y;

	/* a model is a graph; passes turn it into the form that is deployed */
	cop_status st = cop_model_load(&g, cx, name);
	if (!st) st = cop_graph_apply(&g, "batch:n=1 to_infer fuse");
	/* a plan gives it an order, kernels and addresses; a session is the plan with memory */
	if (!st) st = cop_target_find(&host, cx, "host");
	if (!st) st = cop_plan_build(&plan, &g, 1, &host);
	if (!st) st = cop_session_new(&s, plan, 1);
	if (!st) st = cop_session_io(s, 0, 0, false, &x);
	if (!st) st = cop_session_io(s, 0, 0, true, &y);
	if (!st) {
		for (int64_t i = 0; i < cop_type_count(&x.type); i++) ((float *)x.data)[i] = (float)(i % 7) / 7;
		st = cop_session_run(s, 0); /* allocates nothing */
	}
	if (!st) {
		printf("%s: %lld inputs, %zu bytes of arena; the first outputs:", name,
		        (long long)cop_type_count(&x.type), cop_plan_bytes(plan, COP_TEMP));
		for (int i = 0; i < 5 && i < cop_type_count(&y.type); i++) printf(" %g", (double)((float *)y.data)[i]);
		printf("\n");
	}
	cop_session_free(s);
	cop_plan_free(plan);
	cop_graph_free(g);
	return st;
}

int main(int argc, char **argv)
{
	cop_ctx *cx;

	if (cop_ctx_new(&cx, NULL)) return 1;
	cop_status st = run(cx, argc > 1 ? argv[1] : "lenet-5");
	if (st) fprintf(stderr, "%s\n", cop_error_text(cx));
	cop_ctx_free(cx);
	return -st;
}
