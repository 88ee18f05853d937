/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a sound, and one in 256 of what is taken through the front end, which takes milliseconds.
 */
#include "data/data.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static cop_ctx *cx;
	cop_blob b;

	if (!cx && cop_ctx_new(&cx, NULL)) abort();
	cop_error_clear(cx);
	cop__blob_view(&b, cx, "fuzz", bytes, size);
	static float c[COP_MFCC_FRAMES * COP_MFCC_COEFFS];
	cop_sound s;
	if (cop__wav_parse(&s, &b)) return 0;
	if ((size + bytes[size / 2]) % 256) {
		cop__sound_free(cx, &s);
		return 0;
	}
	if (cop__mfcc(c, cx, &s)) abort();
	for (int i = 0; i < COP_MFCC_FRAMES * COP_MFCC_COEFFS; i++)
		if (!(c[i] > -1e4f && c[i] < 1e4f)) abort();
	cop__sound_free(cx, &s);
	return 0;
}
