/* SPDX-License-Identifier: Apache-2.0
 *
 * teachers.h - the files of teachers in an option: "a.cop|b.onnx".
 */
#ifndef COP_POLICY_TEACHERS_H
#define COP_POLICY_TEACHERS_H

#include "train/policy.h"

enum { COP_TEACHER_PATHS = 1024 };

/* Calls fn for one after the other; each is freed after its call. */
typedef cop_status cop_teacher_fn(void *ud, const cop_graph *teacher);
cop_status cop__each_teacher(cop_ctx *cx, const char *files, cop_teacher_fn *fn, void *ud);
float cop__number_of_teachers(const char *files);
/* Warns of one that is hardly ever right on some samples of d, which is fitted to the network. */
cop_status cop__examine_teachers(const char *files, const cop_graph *network, cop_dataset *d);
cop_status cop__identity_teachers(cop_text *t, const char *files);

#endif
