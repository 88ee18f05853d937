/* SPDX-License-Identifier: Apache-2.0
 *
 * aims.h - what tests of compression towards aims have in common: drawn digits, and networks that know them.
 */
#ifndef TESTS_AIMS_H
#define TESTS_AIMS_H

#include "compress/aim/aim.h"
#include "help.h"

typedef struct world { cop_ctx *cx; cop_dataset *train, *valid; cop_graph *net; } world;

static inline cop_train_args args(void) { return (cop_train_args){.epochs = 1, .batch = 32, .threads = 1, .lr = 0.05f, .seed = 5}; }

static inline int open_world(void **state)
{
	static world w;
	const cop_zoo_args z = {.batch = 1, .seed = 3};
	cop_train_args a = args();

	w.cx = new_ctx();
	OK(w.cx, cop_data_open(&w.train, w.cx, "synth-digits", "train", 400));
	OK(w.cx, cop_data_open(&w.valid, w.cx, "synth-digits", "valid", 150));
	OK(w.cx, cop_zoo_build(&w.net, w.cx, "mlp-784x32x16x10", &z));
	a.epochs = 4;
	OK(w.cx, cop_train(w.net, w.train, NULL, &a));
	*state = &w;
	return 0;
}

static inline int close_world(void **state)
{
	world *w = *state;

	cop_graph_free(w->net);
	cop_data_free(w->train);
	cop_data_free(w->valid);
	cop_ctx_free(w->cx);
	return 0;
}

/* A network of convolutions, whose code pays. */
static inline cop_graph *conv_net(const world *w)
{
	static const char text[] = "input 28 28 1\nconv 8 3x3 stride 2 relu\nconv 16 3x3 stride 2 relu\nconv 24 3x3 relu\nmean\nfc 10\n";
	cop_train_args t = args();
	cop_graph *g;

	t.epochs = 2;
	t.lr = 0.005f;
	t.update = "adam";
	OK(w->cx, cop_network_read(&g, w->cx, "net", text, strlen(text), 4));
	OK(w->cx, cop_train(g, w->train, NULL, &t));
	return g;
}

#endif
