/* SPDX-License-Identifier: Apache-2.0
 *
 * seeds.h - between seeds.c and the files that make seeds of other programs' formats.
 */
#ifndef TESTS_SEEDS_H
#define TESTS_SEEDS_H

#include "graph/graph.h"

/* A file of that kind below the folder. */
void seed(const char *kind, const char *name, const void *p, size_t n);
/* The i-th sample of every operator's, each a graph whose results are outputs; NULL past the end. Freed by the caller. */
cop_graph *seed_sample(cop_ctx *cx, int op, int which);

void seeds_onnx(cop_ctx *cx);
void seeds_tflite(void);

#endif
