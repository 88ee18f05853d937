/* SPDX-License-Identifier: Apache-2.0
 *
 * 07 - writes a network down as text, with a shortcut around a layer, checks it and prints what
 * passes make of it. What cop_graph_print prints, cop_graph_parse reads.
 */
#include <coppice.h>

#include <stdio.h>
#include <string.h>

static const char text[] = "graph shortcut\n"
                           "input x f32[1,8]\n"
                           "param a.w f32[8,8]\n"
                           "param a.b f32[8]\n"
                           "param b.w f32[3,8]\n"
                           "%1 = fc x a.w a.b\n"
                           "%2 = clip %1 lo=0\n"
                           "%3 = add %2 x\n"
                           "y = fc %3 b.w\n"
                           "output y\n";

static cop_status to_stdout(void *ud, const void *bytes, size_t size)
{
	(void)ud;
	return fwrite(bytes, 1, size, stdout) == size ? COP_OK : COP_IO;
}

int main(void)
{
	cop_ctx *cx;
	cop_graph *g = NULL;

	if (cop_ctx_new(&cx, NULL)) return 1;
	cop_status st = cop_graph_parse(&g, cx, text, strlen(text));
	if (!st) st = cop_graph_verify(g);
	if (!st) st = cop_graph_apply(&g, "batch:n=4 fuse");
	if (!st) st = cop_graph_print(g, to_stdout, NULL);

	/* what is wrong is said with its line */
	cop_graph *bad;
	static const char wrong[] = "graph wrong\ninput x f32[1,8]\nparam w f32[3,9]\ny = fc x w\noutput y\n";
	if (!st && cop_graph_parse(&bad, cx, wrong, strlen(wrong))) {
		printf("\n%s\n", cop_error_text(cx));
		cop_error_clear(cx);
	}
	if (st) fprintf(stderr, "%s\n", cop_error_text(cx));
	cop_graph_free(g);
	cop_ctx_free(cx);
	return -st;
}
