/* SPDX-License-Identifier: Apache-2.0
 *
 * cop.h - the .cop container, for models and checkpoints alike: numbers, the text of a graph, and its weights.
 */
#ifndef COP_IO_COP_H
#define COP_IO_COP_H

#include "io/cop/codec.h"

/* A named number in a file: an integer, or a real; or a text of any bytes, which what was read borrows from the file's bytes. */
typedef struct cop_number {
	const char *name;
	bool real;
	int64_t i;
	double f;
	const char *text;
	size_t size;
} cop_number;

/* Appends the file of g. codec: for every tensor; AUTO takes the smallest for each. Tensors that are stored as they are are not copied:
 * g must stay until the rope is written. */
cop_status cop__model_rope(cop_rope *out, const cop_graph *g, const cop_number *number, int n_number, cop_codec codec);
/* The same in one piece. */
cop_status cop__model_write(cop_text *out, const cop_graph *g, const cop_number *number, int n_number, cop_codec codec);
/* The bytes cop_model_save would write. */
cop_status cop__model_size(size_t *bytes, const cop_graph *g);
/* The same, when fn says what each tensor takes. */
typedef cop_status cop_stored_fn(void *ud, size_t *bytes, const cop_value *x);
cop_status cop__model_size_by(size_t *bytes, const cop_graph *g, cop_stored_fn *fn, void *ud);
bool cop__is_cop(const uint8_t *bytes, size_t size); /* by its first bytes, of whatever version */
/* file is for messages. Numbers the file has are filled in by name; *found counts them (NULL: nobody asks). */
cop_status cop__model_read(cop_graph **out, cop_ctx *cx, const char *file, const void *bytes, size_t size,
        cop_number *number, int n_number, int *found);
/* The same of bytes of cop__alloc, which are taken over, after a failure too: weights that are stored as they are stay in them, uncopied. */
cop_status cop__model_take(cop_graph **out, cop_ctx *cx, const char *file, void *bytes, size_t size);

#endif
