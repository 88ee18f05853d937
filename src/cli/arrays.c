/* SPDX-License-Identifier: Apache-2.0
 *
 * arrays - samples for networks of several inputs: an array for each, "a.npy,b.npy" in the order of the inputs or "x=a.npy,y=b.npy" by name.
 * Their first axis counts samples; sample i of all belongs together. Numbers are taken as they are.
 */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool cli_is_arrays(const char *data)
{
	struct stat s;
	return data && (strchr(data, ',') || strchr(data, '=')) && stat(data, &s);
}

static cop_status get(void *ud, int32_t i, float *x, int32_t *label)
{
	const cli_array *a = ud;
	int64_t from = i * a->each;

	*label = 0;
	for (int64_t k = 0; k < a->each; k++) {
		const cop_tensor *t = &a->t;
		x[k] = t->type.dtype == COP_F32 ? ((const float *)t->data)[from + k] : t->type.dtype == COP_I32 ? (float)((const int32_t *)t->data)[from + k]
			: t->type.dtype == COP_I16 ? (float)((const int16_t *)t->data)[from + k] : t->type.dtype == COP_I8 ? (float)((const int8_t *)t->data)[from + k] : (float)((const uint8_t *)t->data)[from + k];
	}
	return COP_OK;
}

static int input_named(const cop_graph *g, const char *name, size_t len)
{
	const char *is;

	for (int i = 0; (is = cop_graph_input_name(g, i)); i++)
		if (strlen(is) == len && !strncmp(is, name, len)) return i;
	return -1;
}

static cop_status read_one(cli_array *a, cli *c, const char *path)
{
	snprintf(a->path, sizeof a->path, "%s", path);
	CLI_TRY(cop_tensor_read(&a->t, c->cx, a->path));
	if (a->t.type.rank < 1 || !cop_type_count(&a->t.type)) return cli_fail(c, COP_SHAPE, "%s: holds no samples; the first axis counts them", a->path);
	a->each = cop_type_count(&a->t.type) / a->t.type.dim[0];
	a->d = (cop_dataset){.name = a->path, .x = {.dtype = COP_F32, .rank = a->t.type.rank - 1, .q.axis = -1}, .count = a->t.type.dim[0], .get = get, .ud = a};
	memcpy(a->d.x.dim, a->t.type.dim + 1, sizeof *a->d.x.dim * (size_t)a->d.x.rank);
	return COP_OK;
}

cop_status cli_arrays_open(cli_arrays *out, cli *c, const cop_graph *g, const char *data)
{
	char word[512];
	int at = 0, n = 0;

	while (cop_graph_input_name(g, n)) n++;
	for (const char *p = data; *p; p += *p == ',') {
		size_t len = strcspn(p, ",");
		snprintf(word, sizeof word, "%.*s", (int)len, p);
		char *path = strchr(word, '=');
		int i = path ? input_named(g, word, (size_t)(path - word)) : at;
		if (i < 0) return cli_fail(c, COP_ARG, "--data %s: the network has no input of that name; its first is '%s'", word, cop_graph_input_name(g, 0));
		if (i >= n || i >= CLI_MOST_INPUTS) return cli_fail(c, COP_ARG, "--data %s: more arrays than the %d inputs of the network", word, n);
		if (out->a[i].t.data) return cli_fail(c, COP_ARG, "--data %s: the input '%s' has an array already", word, cop_graph_input_name(g, i));
		CLI_TRY(read_one(&out->a[i], c, path ? path + 1 : word));
		at = i + 1;
		p += len;
	}
	for (int i = 0; i < n && i < CLI_MOST_INPUTS; i++) {
		if (!out->a[i].t.data) return cli_fail(c, COP_ARG, "--data %s: holds no array for the input '%s'", data, cop_graph_input_name(g, i));
		if (i) out->more[out->n_more++] = &out->a[i].d;
	}
	return COP_OK;
}

void cli_arrays_free(cli_arrays *a, cli *c)
{
	for (int i = 0; i < CLI_MOST_INPUTS; i++) cop_free(c->cx, a->a[i].t.data);
}
