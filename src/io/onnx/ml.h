/* SPDX-License-Identifier: Apache-2.0
 *
 * ml.h - what operators of ai.onnx.ml share: lists of any length among attributes, scores and labels.
 */
#ifndef COP_ONNX_ML_H
#define COP_ONNX_ML_H

#include "io/onnx/onnx.h"

/* An attribute's list, whatever its length; *v NULL and *count 0: absent. */
cop_status cop__ox_ml_ints(cop_ox *m, const cop_ox_node *n, const char *name, const int64_t **v, int32_t *count);
cop_status cop__ox_ml_floats(cop_ox *m, const cop_ox_node *n, const char *name, const float **v, int32_t *count);
/* Input i as rows [n,c] of F32. */
cop_vid cop__ox_ml_rows(cop_ox *m, const cop_ox_node *n, int i);
/* post_transform of scores [n,e]. */
cop_vid cop__ox_ml_transformed(cop_ox *m, const cop_ox_node *n, cop_vid score);
/* Output 0 of a classifier: the label by number of class [n], I32. Labels that are text are no output of the graph.
 * `ints`: the attribute. */
cop_status cop__ox_ml_label(cop_ox *m, const cop_ox_node *n, cop_vid index, const char *ints, int32_t classes);

#endif
