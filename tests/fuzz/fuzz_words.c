/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the words of passes, of a training graph, and as the name of a network of the zoo, as a first byte says. What comes of
 * them satisfies the verifier.
 */
#include "behind.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static cop_graph *small_net(cop_ctx *cx, int which)
{
	static const char *const name[] = {"mlp-4x3x2", "lenet-5", "ds-cnn", "resnet-8"};
	cop_graph *g = NULL;

	return fuzz_made(cx, cop_zoo_build(&g, cx, name[which], &(cop_zoo_args){.batch = 1, .seed = 1})) ? g : NULL;
}

static void passes(cop_ctx *cx, const char *text, int which)
{
	cop_graph *g = small_net(cx, which);

	if (g && !fuzz_refused(cx, cop_graph_apply(&g, text))) fuzz_made(cx, cop_graph_verify(g)), fuzz_round_trip(cx, g);
	cop_graph_free(g);
}

static void training(cop_ctx *cx, const char *text, int which)
{
	cop_graph *g = small_net(cx, which), *step;

	if (g && !fuzz_refused(cx, cop_graph_train(&step, g, text))) {
		fuzz_made(cx, cop_graph_verify(step));
		fuzz_round_trip(cx, step);
		cop_graph_free(step);
	}
	cop_graph_free(g);
}

static void zoo(cop_ctx *cx, const char *text)
{
	cop_graph *g;

	if (fuzz_refused(cx, cop_zoo_build(&g, cx, text, &(cop_zoo_args){.batch = 1, .seed = 1}))) return;
	fuzz_made(cx, cop_graph_verify(g));
	cop_graph_free(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	char text[200];
	cop_ctx *cx;
	size_t used;

	if (!n || n > sizeof text || fuzz_ctx(&cx, &used)) return 0;
	memcpy(text, p + 1, n - 1);
	text[n - 1] = 0;
	switch (p[0] % 4) {
	case 0: case 1: passes(cx, text, p[0] / 4 % 4); break;
	case 2: training(cx, text, p[0] / 4 % 4); break;
	default: zoo(cx, text); break;
	}
	cop_ctx_free(cx);
	if (used) abort();
	return 0;
}
