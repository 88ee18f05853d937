/* SPDX-License-Identifier: Apache-2.0
 *
 * bench_large [NODES] - seconds of processor time that each step from a text to C takes for networks with many nodes (20,000): a chain, a chain
 * of layers with a weight each, and one with half as many buffers live at once. Twice the nodes should take about twice the time.
 */
#include "coppice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINE = 48 };

static char *chain(int n)
{
	char *text = malloc((size_t)n * LINE + 200), *p = text;

	p += sprintf(p, "graph chain\ninput x f32[1,8]\n%%1 = tanh x\n");
	for (int i = 2; i < n; i++) p += sprintf(p, "%%%d = tanh %%%d\n", i, i - 1);
	sprintf(p, "y = tanh %%%d\noutput y\n", n - 1);
	return text;
}

static char *layers(int n)
{
	char *text = malloc((size_t)n * 2 * LINE + 200), *p = text;

	p += sprintf(p, "graph layers\ninput x f32[1,4]\n");
	for (int i = 1; i <= n; i++) p += sprintf(p, "param layer%d.w f32[4,4]\n", i);
	p += sprintf(p, "%%1 = fc x layer1.w\n");
	for (int i = 2; i < n; i++) p += sprintf(p, "%%%d = fc %%%d layer%d.w\n", i, i - 1, i);
	sprintf(p, "y = fc %%%d layer%d.w\noutput y\n", n - 1, n);
	return text;
}

/* The first half makes a value each, the second half reads them back from the last to the first. */
static char *live(int n)
{
	char *text = malloc((size_t)n * LINE + 200), *p = text;
	int half = n / 2;

	p += sprintf(p, "graph live\ninput x f32[1,8]\n%%1 = tanh x\n");
	for (int i = 2; i <= half; i++) p += sprintf(p, "%%%d = tanh %%%d\n", i, i - 1);
	for (int i = half + 1; i < 2 * half - 1; i++) p += sprintf(p, "%%%d = add %%%d %%%d\n", i, i - 1, 2 * half - i);
	sprintf(p, "y = add %%%d %%1\noutput y\n", 2 * half - 2);
	return text;
}

static cop_status nowhere(void *ud, const void *bytes, size_t size) { return (void)ud, (void)bytes, (void)size, COP_OK; }
static cop_status no_file(void *ud, const char *path, const void *bytes, size_t size) { return (void)ud, (void)path, (void)bytes, (void)size, COP_OK; }

static double seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }

static cop_status plan(cop_ctx *cx, cop_graph *g, cop_target *t)
{
	cop_plan *p;
	cop_status st = cop_target_find(t, cx, "cortex-m4");

	t->ram = t->flash = 0;
	if (!st) st = cop_plan_build(&p, &g, 1, t);
	if (!st) cop_plan_free(p);
	return st;
}

static cop_status step(cop_ctx *cx, cop_graph **g, const char *text, int i)
{
	cop_target t;
	cop_figures f;

	switch (i) {
	case 0: return cop_graph_parse(g, cx, text, strlen(text));
	case 1: return cop_graph_print(*g, nowhere, NULL);
	case 2: return cop_graph_apply(g, "dce");
	case 3: return cop_graph_apply(g, "to_infer fuse");
	case 4: return cop_graph_apply(g, "shrink");
	case 5: return plan(cx, *g, &t);
	case 6: return cop_target_find(&t, cx, "host") ? COP_ARG : cop_measure(&f, *g, &t);
	case 7: return cop_model_write(*g, nowhere, NULL);
	default: return cop_emit_c(*g, &(cop_target){.name = "any", .align = 4, .threads = 1}, &(cop_emit_args){0}, no_file, NULL);
	}
}

int main(int argc, char **argv)
{
	static const char *const name[] = {"parse", "print", "dce", "fuse", "shrink", "plan", "measure", "write", "emit"};
	int n = argc > 1 ? atoi(argv[1]) : 20000;
	char *text[] = {chain(n), layers(n), live(n)};
	cop_ctx *cx;
	cop_status st = cop_ctx_new(&cx, NULL);

	printf("%-8s", "");
	for (int i = 0; i < 9; i++) printf("%9s", name[i]);
	for (int k = 0; k < 3 && !st; k++) {
		cop_graph *g = NULL;
		printf("\n%.*s ", (int)strcspn(text[k] + 6, "\n"), text[k] + 6);
		for (int i = 0; i < 9 && !st; i++) {
			double t = seconds();
			st = step(cx, &g, text[k], i);
			printf("%9.3f", seconds() - t);
		}
		cop_graph_free(g);
	}
	printf("\n%s", st ? cop_error_text(cx) : "");
	cop_ctx_free(cx);
	return st ? 1 : 0;
}
