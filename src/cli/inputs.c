/* SPDX-License-Identifier: Apache-2.0
 *
 * inputs - a file of sets of inputs for an emitted program: for each run the raw values of every input in turn.
 */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The next number of a sequence that the seed decides (SplitMix64). */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* f32 from -1 to 1, any byte, indices 0 or 1. */
static void fill(const cop_tensor *x, uint64_t *state)
{
	int64_t n = cop_type_count(&x->type);

	for (int64_t i = 0; i < n; i++) {
		uint64_t r = draw(state);
		if (x->type.dtype == COP_F32) ((float *)x->data)[i] = (float)(int32_t)(r >> 40) / 8388608 - 1;
		else if (x->type.dtype == COP_I32) ((int32_t *)x->data)[i] = (int32_t)(r >> 63);
		else ((uint8_t *)x->data)[i] = (uint8_t)(r >> 56);
	}
}

/* Reads the arrays; *sets is how many runs they hold, the same for all. */
static cop_status read_arrays(cop_tensor *x, int32_t *sets, cli *c, const cop_graph *g, const cli_inputs *in)
{
	cop_type t;
	char shape[64];

	for (int i = 0; i < in->n_npy; i++) {
		if (!cop_graph_io_type(g, false, i, &t)) return cli_fail(c, COP_ARG, "%s: the network has %d inputs only", in->npy[i], i);
		CLI_TRY(cop_npy_read(&x[i], c->cx, in->npy[i]));
		int64_t each = cop_type_count(&t), all = cop_type_count(&x[i].type);
		cli_shape(shape, sizeof shape, &t);
		if (!all || all % each || all / each > 1 << 20)
			return cli_fail(c, COP_SHAPE, "%s: holds %lld numbers, expected some times %s", in->npy[i], (long long)all, shape);
		if (!cli_same_order(&x[i].type, all == each ? 0 : 1, &t, all == each ? 0 : 1) && !cli_same_order(&x[i].type, 1, &t, 1)) {
			char have[64];
			cli_shape(have, sizeof have, &x[i].type);
			return cli_fail(c, COP_SHAPE, "%s: has shape %s, a run takes %s; `coppice data export NAME --for FILE` lays samples out so", in->npy[i], have, shape);
		}
		if (i && all / each != *sets)
			return cli_fail(c, COP_SHAPE, "%s: holds inputs for %lld runs, but %s for %d", in->npy[i], (long long)(all / each), in->npy[0], *sets);
		*sets = (int32_t)(all / each);
	}
	return COP_OK;
}

static cop_status write_set(cli *c, const cop_graph *g, const cli_inputs *in, const cop_tensor *x, int32_t set, uint64_t *state, FILE *f)
{
	cop_tensor to;

	for (int i = 0; cop_graph_io_type(g, false, i, &to.type); i++) {
		size_t bytes = cop_type_bytes(&to.type);
		cop_status st = COP_OK;
		if (!(to.data = malloc(bytes))) return cli_fail(c, COP_NOMEM, "out of memory for an input of %zu bytes", bytes);
		if (i < in->n_npy) {
			cop_tensor from = {to.type, NULL};
			from.type.dtype = x[i].type.dtype;
			from.data = (char *)x[i].data + (size_t)set * cop_type_bytes(&from.type);
			st = cop_tensor_copy(c->cx, &to, &from);
		} else {
			fill(&to, state);
		}
		if (!st && fwrite(to.data, 1, bytes, f) != bytes) st = cli_fail(c, COP_IO, "the inputs could not be written: %s", strerror(errno));
		free(to.data);
		CLI_TRY(st);
	}
	return COP_OK;
}

cop_status cli_inputs_write(cli *c, const cop_graph *g, const cli_inputs *in, const char *path)
{
	cop_tensor x[LEN(in->npy)] = {{.data = NULL}};
	int32_t sets = in->sets;
	uint64_t state = c->seed;
	FILE *f = NULL;
	cop_status st = read_arrays(x, &sets, c, g, in);

	if (!st && !(f = fopen(path, "wb"))) st = cli_fail(c, COP_IO, "%s: %s", path, strerror(errno));
	for (int32_t i = 0; !st && i < sets; i++) st = write_set(c, g, in, x, i, &state, f);
	if (f && fclose(f) && !st) st = cli_fail(c, COP_IO, "%s: %s", path, strerror(errno));
	for (int i = 0; i < in->n_npy; i++) cop_free(c->cx, x[i].data);
	return st;
}
