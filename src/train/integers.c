/* SPDX-License-Identifier: Apache-2.0
 *
 * integers - a network of int8 before and after it is trained as it is: its layers become trainable, and constants again.
 */
#include "core/need.h"
#include "pass/pass.h"
#include "train/build_record.h"

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
	if (!st) st = cop__pass_trainable(&made, *gp, b->all.layers, layers);
	cop__build_free(b);
	if (st) return st;
	cop_graph_free(*layers ? *gp : made);
	if (*layers) *gp = made;
	return COP_OK;
}

cop_status cop_graph_settle(cop_graph **gp)
{
	cop_graph *made;

	COP_NEED(NULL, gp);
	COP_NEED(NULL, *gp);
	COP_TRY(cop__pass_settled(&made, *gp));
	cop_graph_free(*gp);
	*gp = made;
	return COP_OK;
}
