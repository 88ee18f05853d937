/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a stored tensor, under each coder and encoding; what is accepted must be storable again.
 */
#include "io/cop/codec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const cop_enc encs[] = {COP_DENSE, COP_PALETTE, COP_SPARSE};
	cop_ctx *cx;

	if (n < 6 || cop_ctx_new(&cx, NULL)) return 0;
	cop_type t = cop__type(COP_F32, 2, DIMS(1 + p[1] % 40, 1 + p[2] % 64 * (1 + p[3] % 16)));
	t.enc = encs[p[0] / 4 % 3];
	if (t.enc) t.enc_bytes = p[4] | (uint32_t)(p[5] & 15) << 8;
	void *data = cop__alloc(cx, cop_type_bytes(&t) + 1);
	if (data && !cop__restore(data, cx, "w", &t, p[0] % 4, p + 6, n - 6)) {
		cop_codec codec = COP_CODEC_AUTO;
		cop_text s;
		cop__text_init(&s, cx);
		if (cop__store(&s, &codec, cx, &t, data)) abort();
		if (cop__restore(data, cx, "w", &t, codec, (const uint8_t *)s.data, s.len)) abort();
		cop__text_free(&s);
	}
	cop__free(cx, data);
	cop_ctx_free(cx);
	return 0;
}
