/* SPDX-License-Identifier: Apache-2.0
 *
 * training - what networks of a space are trained with.
 */
#include "search/search.h"

#include "compress/resume.h"

void cop__turn_to(cop_searcher *z, const cop_design *of)
{
	z->of = *of;
	*z->a = *z->given;
	z->r->like = cop__space(of->space)->like;
	cop_train_defaults(z->a, z->r->like, z->train);
}

cop_train_args cop__search_training(const cop_searcher *z, int32_t stage, char path[1024])
{
	cop_train_args a = *z->a;

	if (a.checkpoint) a.checkpoint = cop__resume_stage_path(path, a.checkpoint, stage);
	return a;
}
