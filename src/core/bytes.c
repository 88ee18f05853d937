/* SPDX-License-Identifier: Apache-2.0
 *
 * bytes - checksums. CRC32C (Castagnoli) guards blobs, SHA-256 (FIPS 180-4) downloads.
 */
#include "core/core.h"

static const uint32_t nibble[16] = { /* crc of each low nibble under the reflected polynomial 82f63b78 */
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
	0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};

static uint32_t crc_byte(uint32_t crc) { return crc = crc >> 4 ^ nibble[crc & 15], crc >> 4 ^ nibble[crc & 15]; }

/* Eight bytes at a time: ahead[k][b] is what byte b does to the crc k bytes later (Kounavis and Berry 2005, "slicing by 8"). */
static uint32_t crc_long(uint32_t crc, const uint8_t *p, size_t size)
{
	uint32_t ahead[8][256];

	for (uint32_t b = 0; b < 256; b++) {
		ahead[0][b] = crc_byte(b);
		for (int k = 1; k < 8; k++) ahead[k][b] = crc_byte(ahead[k - 1][b] & 255) ^ ahead[k - 1][b] >> 8;
	}
	for (size_t i = 0; i < size; i += 8) {
		uint32_t a = crc ^ cop__le32(p + i), b = cop__le32(p + i + 4);
		crc = ahead[7][a & 255] ^ ahead[6][a >> 8 & 255] ^ ahead[5][a >> 16 & 255] ^ ahead[4][a >> 24]
			^ ahead[3][b & 255] ^ ahead[2][b >> 8 & 255] ^ ahead[1][b >> 16 & 255] ^ ahead[0][b >> 24];
	}
	return crc;
}

uint32_t cop__crc32c(const void *bytes, size_t size, uint32_t crc)
{
	enum { LONG = 16384 }; /* from here on the tables pay */
	const uint8_t *p = bytes;
	size_t first = size < LONG ? 0 : size / 8 * 8;

	crc = first ? crc_long(~crc, p, first) : ~crc;
	for (size_t i = first; i < size; i++) crc = crc >> 8 ^ crc_byte((crc ^ p[i]) & 255);
	return ~crc;
}

/* ---- SHA-256 ---- */

static uint32_t ror(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void sha_block(uint32_t h[8], const uint8_t *p)
{
	static const uint32_t k[64] = {
		0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
		0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
		0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
		0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
		0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
		0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
		0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
		0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
	uint32_t w[64], v[8];

	for (int i = 0; i < 16; i++) w[i] = cop__be32(p + 4 * i);
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];
		w[i] = w[i - 16] + w[i - 7] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) + (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
	}
	memcpy(v, h, sizeof v);
	for (int i = 0; i < 64; i++) {
		uint32_t s1 = ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25), ch = (v[4] & v[5]) ^ (~v[4] & v[6]);
		uint32_t s0 = ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22), maj = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
		uint32_t t1 = v[7] + s1 + ch + k[i] + w[i], t2 = s0 + maj;
		memmove(v + 1, v, 7 * sizeof *v);
		v[4] += t1;
		v[0] = t1 + t2;
	}
	for (int i = 0; i < 8; i++) h[i] += v[i];
}

void cop__sha256_begin(cop_sha256 *s)
{
	*s = (cop_sha256){.h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
}

void cop__sha256_more(cop_sha256 *s, const void *bytes, size_t size)
{
	const uint8_t *p = bytes;

	while (size) {
		size_t used = s->size % 64, n = COP_MIN(size, 64 - used);
		if (n < 64) memcpy(s->block + used, p, n); /* a whole block is read where it is */
		if (used + n == 64) sha_block(s->h, n < 64 ? s->block : p);
		s->size += n, p += n, size -= n;
	}
}

void cop__sha256_end(cop_sha256 *s, uint8_t out[32])
{
	static const uint8_t pad[64] = {0x80};
	uint64_t bits = s->size * 8;
	uint8_t length[8];

	for (int i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
	cop__sha256_more(s, pad, (size_t)(s->size % 64 < 56 ? 56 - s->size % 64 : 120 - s->size % 64));
	cop__sha256_more(s, length, 8);
	for (int i = 0; i < 32; i++) out[i] = (uint8_t)(s->h[i / 4] >> (24 - 8 * (i % 4)));
}

void cop__sha256(uint8_t out[32], const void *bytes, size_t size)
{
	cop_sha256 s;

	cop__sha256_begin(&s);
	cop__sha256_more(&s, bytes, size);
	cop__sha256_end(&s, out);
}
