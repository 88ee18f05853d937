/* SPDX-License-Identifier: Apache-2.0
 *
 * 08 - follows one small network through the whole engine and prints what each part makes of it: text, graph, passes,
 * training graph, plan, run, C. docs/walk.md explains the output.
 */
#include <coppice.h>

#include <stdio.h>
#include <string.h>

/* A failure is kept, and nothing is called after it. */
#define DO(call) st = st ? st : (call)

static cop_status show(void *ud, const void *bytes, size_t size) { return fwrite(bytes, 1, size, ud) == size ? COP_OK : COP_IO; }

/* Of the files that make up the C code: the part of net.c below the weights. */
static cop_status show_c(void *ud, const char *path, const void *bytes, size_t size)
{
	const char *from = strcmp(path, "net.c") ? NULL : strstr(bytes, "/* Everything temporary");
	return from ? show(ud, from, size - (size_t)(from - (const char *)bytes)) : COP_OK;
}

static cop_status walk(cop_ctx *cx)
{
	static const char text[] = "input 4\nfc 3 relu\nfc 2\n";
	cop_graph *g, *training = NULL;
	cop_plan *p = NULL;
	cop_session *s = NULL;
	cop_target board;
	cop_tensor x, y;
	cop_step_info step;
	cop_status st = COP_OK;

	DO(cop_network_read(&g, cx, "walk", text, strlen(text), 1));
	DO((puts("1. the graph"), cop_graph_print(g, show, stdout)));
	DO(cop_graph_train(&training, g, "sgd momentum=0"));
	DO(cop_graph_apply(&g, "to_infer fuse"));
	DO((puts("\n2. after the passes"), cop_graph_print(g, show, stdout)));
	DO((puts("\n3. the training graph"), cop_graph_print(training, show, stdout)));
	DO(cop_target_find(&board, cx, "cortex-m4"));
	DO(cop_plan_build(&p, &g, 1, &board));
	puts("\n4. the plan");
	for (int i = 0; !st && cop_plan_step(p, 0, i, &step); i++) printf("step %d: %s '%s' by %s, %zu bytes live\n", i, step.op, step.name, step.kernel, step.live_bytes);
	if (!st) printf("arena %zu bytes, weights %zu bytes\n", cop_plan_bytes(p, COP_TEMP), cop_plan_bytes(p, COP_CONST));
	DO(cop_session_new(&s, p, 1));
	DO(cop_session_io(s, 0, 0, false, &x));
	if (!st) memcpy(x.data, (const float[]){1, 2, 3, 4}, 4 * sizeof(float));
	DO(cop_session_run(s, 0));
	DO(cop_session_io(s, 0, 0, true, &y));
	if (!st) printf("\n5. a run\n1 2 3 4 -> %.4f %.4f\n", (double)((float *)y.data)[0], (double)((float *)y.data)[1]);
	DO((puts("\n6. the same plan as C"), cop_emit_c(g, &board, &(cop_emit_args){.name = "net"}, show_c, stdout)));
	cop_session_free(s);
	cop_plan_free(p);
	cop_graph_free(training);
	cop_graph_free(g);
	return st;
}

int main(void)
{
	cop_ctx *cx;

	if (cop_ctx_new(&cx, NULL)) return 1;
	cop_status st = walk(cx);
	if (st) fprintf(stderr, "%s\n", cop_error_text(cx));
	cop_ctx_free(cx);
	return -st;
}
