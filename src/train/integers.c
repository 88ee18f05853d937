/* SPDX-License-Identifier: Apache-2.0
 *
 * integers - a network before and after it is trained as it is: layers of int8 become trainable, and constants again; of weights with channels= a part
 * becomes a parameter, and is put back.
 */
#include "core/need.h"
#include "pass/parts.h"
#include "pass/pass.h"
#include "train/build_record.h"

/* made: int8 layers trainable, then parts of weights. */
static cop_status trainable(cop_graph **made, const cop_graph *g, const cop_general *all, int32_t *layers)
{
	cop_graph *parted;
	int32_t parts;

	COP_TRY(cop__pass_trainable(made, g, all->layers, layers));
	if (!all->channels.n) return COP_OK;
	cop_status st = cop__pass_parts(&parted, *made, all->layers, &all->channels, &parts);
	cop_graph_free(*made);
	*made = st ? NULL : parted;
	*layers += st ? 0 : parts;
	return st;
}

cop_status cop_graph_trainable(cop_graph **gp, const char *spec, int32_t *layers)
{
	cop_graph *made;
	cop_build *b;

	COP_NEED(NULL, gp);
	COP_NEED(NULL, *gp);
	COP_NEED((*gp)->cx, layers);
	*layers = 0;
	COP_TRY(cop__build_new(&b, *gp, 0, 0));
	cop_status st = cop__build_spec(b, spec ? spec : "qsgd");
	if (!st) st = trainable(&made, *gp, &b->all, layers);
	cop__build_free(b);
	if (st) return st;
	cop_graph_free(*layers ? *gp : made);
	if (*layers) *gp = made;
	return COP_OK;
}

cop_status cop_graph_settle(cop_graph **gp)
{
	cop_graph *whole, *made;

	COP_NEED(NULL, gp);
	COP_NEED(NULL, *gp);
	COP_TRY(cop__pass_whole(&whole, *gp));
	cop_status st = cop__pass_settled(&made, whole);
	cop_graph_free(whole);
	if (st) return st;
	cop_graph_free(*gp);
	*gp = made;
	return COP_OK;
}
