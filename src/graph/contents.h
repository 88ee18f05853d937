/* SPDX-License-Identifier: Apache-2.0
 *
 * contents.h - the bytes of constants, parameters and states. Graphs share them: a copy of a graph takes a reference
 * to the contents of each weight. Whoever wants to change a weight asks for contents of its own (cop__own), which
 * copies them if anyone else has them. A plan has references too, so that what it was built for stays as it was.
 *
 *   graph a   "conv1.w" --+
 *                         +--> contents, 2 references
 *   graph b   "conv1.w" --+
 *   graph b   "conv2.w" -----> contents, 1 reference: b may write to them where they lie
 *
 * The count is a plain number: a context and all that hangs on it belong to one thread at a time.
 */
#ifndef COP_GRAPH_CONTENTS_H
#define COP_GRAPH_CONTENTS_H

#include "core/core.h"

typedef struct cop_contents {
	cop_ctx *cx;
	void *bytes;                /* 64 bytes behind them may be read: fast kernels do */
	struct cop_contents *whole; /* these bytes are a part of those; NULL: they are on their own */
	int32_t refs;
	int32_t spent;              /* how many of refs are of graphs that will not be read again (cop__spend) */
	const void *spender;        /* the last such graph */
	bool twice;                 /* it has them in two values */
} cop_contents;

/* These make contents with one reference, which is the caller's; NULL: no memory.
 * new: zeros, 64-byte aligned. adopt: bytes of cop__alloc, which are freed with the contents; after a failure they are
 * still the caller's. part: some bytes of `whole`, to which it has a reference; parts do not overlap. */
cop_contents *cop__contents_new(cop_ctx *cx, size_t bytes);
cop_contents *cop__contents_adopt(cop_ctx *cx, void *bytes);
cop_contents *cop__contents_part(cop_contents *whole, void *bytes);
cop_contents *cop__contents_hold(cop_contents *c); /* one reference more; NULL is none */
void cop__contents_drop(cop_contents *c);          /* one less: the last one frees them */

#endif
