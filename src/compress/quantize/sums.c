/* SPDX-License-Identifier: Apache-2.0
 *
 * sums - the shortcuts of a residual network where activations have fewer than 8 bits. Papers round what a layer reads and
 * leave the sums floats; here sums and what they add keep 8 bits, and a table leads from there to each layer.
 */
#include "compress/quantize/quantize.h"

cop_vid cop__origin(const cop_graph *g, cop_vid v)
{
	while (g->value[v].producer && cop__moves(g, g->value[v].producer)) v = cop__arg(g, g->value[v].producer, 0);
	return v;
}

static bool is_shortcut(const cop_graph *g, cop_nid n)
{
	const cop_vid a = cop__arg(g, n, 0), b = cop__arg(g, n, 1);

	return g->node[n].op == OP_add && !g->value[a].data && !g->value[b].data && cop__same_shape(cop__t(g, a), cop__t(g, b));
}

void cop__mark_sums(bool *sums, const cop_graph *g)
{
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		if (!is_shortcut(g, n)) continue;
		sums[cop__res(g, n, 0)] = sums[cop__origin(g, cop__arg(g, n, 0))] = sums[cop__origin(g, cop__arg(g, n, 1))] = true;
	}
}

/* x as the layers read it, made once. A bound that no number reaches: without bounds a clip is left out as nothing. */
static cop_vid read_as(cop_graph *out, cop_vid *narrow, cop_vid from, cop_vid x)
{
	static const cop_act_attr all = {-1e30f, 1e30f};

	if (!narrow[from]) narrow[from] = cop__apply(out, OP_clip, &all, VIDS(x));
	return narrow[from];
}

static cop_status copy_all(cop_graph *out, const cop_graph *g, cop_vid *map)
{
	bool *sums = cop__arena_get(&out->mem, (size_t)g->n_value + 1);
	cop_vid *narrow = cop__arena_get(&out->mem, sizeof *narrow * (size_t)(g->n_value + 1));

	if (!sums || !narrow) return COP_NOMEM;
	cop__mark_sums(sums, g);
	COP_TRY(cop__copy_inputs(out, g, map));
	for (cop_nid n = 1; n <= (cop_nid)g->n_node; n++) {
		const cop_vid x = cop__arg(g, n, 0), as_it_is = map[x];
		if (cop__qlayer_is(g, n) && as_it_is && sums[cop__origin(g, x)] && !(map[x] = read_as(out, narrow, x, as_it_is)))
			return cop__failed(g->cx);
		COP_TRY(cop__copy_node(out, g, map, n));
		map[x] = as_it_is;
	}
	return cop__copy_rest(out, g, map);
}

cop_status cop__layers_off_sums(cop_graph **out, const cop_graph *g)
{
	cop_vid *map;

	COP_TRY(cop__copy_begin(out, g, &map));
	return cop__pass_end(out, copy_all(*out, g, map));
}
