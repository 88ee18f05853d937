/* SPDX-License-Identifier: Apache-2.0
 *
 * tamade - see tamade.h. One tolerance stands for the threshold of every layer.
 */
#include "compress/smallest/tamade.h"

cop_status cop__tamade(float *thr, float most, double tolerance, cop_loss_at_fn *loss_at, void *ud)
{
	double base, loss, lo = 0, hi = (double)most;

	*thr = 0;
	COP_TRY(loss_at(ud, 0, &base));
	const double limit = base * (1 + tolerance);
	COP_TRY(loss_at(ud, most, &loss));
	if (loss <= limit) return *thr = most, COP_OK;
	while (hi - lo > 1e-7) {
		double mid = (lo + hi) / 2;
		if (mid <= lo || mid >= hi) break;
		COP_TRY(loss_at(ud, (float)mid, &loss));
		if (loss <= limit) lo = mid;
		else hi = mid;
	}
	*thr = (float)lo;
	return COP_OK;
}
