/* SPDX-License-Identifier: Apache-2.0
 *
 * fake.h - the network as it will be in integers, in floats that can be trained: a `fakequant` behind every value and
 * weight that will be one, with its step as a parameter. The pass `integers` (pass/unfake.c) leads from there to the
 * graph of integers.
 */
#ifndef COP_COMPRESS_FAKE_H
#define COP_COMPRESS_FAKE_H

#include "compress/quantize/quantize.h"

typedef struct cop_faking {
	bool steps;
	float ewgs;
} cop_faking; /* steps: they are trained, too */

/* z has ranges and integers for its weights: what those would be in the graph of integers is rounded, and the rest
 * stays as it is. */
cop_status cop__fake(cop_graph **out, cop_quantizer *z, const cop_faking *how);

#endif
