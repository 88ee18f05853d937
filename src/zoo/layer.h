/* SPDX-License-Identifier: Apache-2.0
 *
 * layer.h - one line of a network as text, taken apart, and the functions that add its layer to the graph.
 */
#ifndef COP_LAYER_H
#define COP_LAYER_H

#include "zoo/zoo.h"

enum { COP_LAYER_INPUTS = 8 };
typedef struct cop_layer_line {
	const char *name;              /* what its weights begin with */
	cop_vid in[COP_LAYER_INPUTS];
	int32_t n_in, number[3], n_number;
	int32_t kh, kw, stride;        /* 0: not given */
	bool valid, norm, every, dirac; /* pad valid; batch norm behind it; every step of a recurrent layer; begins as an identity */
	const char *act;               /* the word of an activation, or NULL */
} cop_layer_line;

typedef struct cop_layer_row {
	const char *word;
	int least_in, most_in, least_number, most_number;
	const char *usage;
	cop_vid (*add)(cop_zoo *z, const cop_layer_line *l); /* 0 after a failure */
} cop_layer_row;
extern const cop_layer_row cop__layer_rows[];
const char *cop__layer_word(void *ud, int i); /* NULL past the end */
bool cop__is_activation(const char *word);

#endif
