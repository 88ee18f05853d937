/* SPDX-License-Identifier: Apache-2.0
 *
 * words - see words.h. Five contexts are mixed: the last 1, 2, 3 and 5 bytes, and the present word with the one above it in the text. The model has
 * read a text of typical lines before the first byte, so that even a short graph is written in few bytes; that text is part of the format.
 */
#include "io/cop/words.h"

enum { ORDERS = 6, SLOTS = 1 << 14, HISTORY = 8 };

struct cop_words {
	cop_guess guess[ORDERS][SLOTS];
	cop_mixer mix[256];
	uint8_t last[HISTORY]; /* the newest first */
	uint32_t word, line;   /* hashes: of the word so far, of the first word of the line */
	bool first;            /* still in the first word */
};

static const char learned[] =
	"graph net\nclass airplane\nclass automobile\nclass bird\nclass cat\nclass deer\nclass dog\nclass frog\nclass horse\nclass ship\nclass truck\n"
	"class down\nclass go\nclass left\nclass no\nclass off\nclass on\nclass right\nclass stop\nclass up\nclass yes\nclass silence\nclass unknown\nclass person\n"
	"samples times=255 mean=127.5,127.5,127.5 std=127.5,127.5,127.5 layout=first\naccuracy 0.8736\n"
	"input x f32[1,32,32,3]\nparam conv1.w f32[16,3,3,3] palette 440\nparam conv1.b f32[16]\nparam conv2.w f32[32,3,3,16] sparse 3120\nparam conv2.b f32[32]\n"
	"param bn1.gamma f32[16]\nparam bn1.beta f32[16]\nstate bn1.mean f32[16]\nstate bn1.var f32[16]\nparam block1.conv1.w f32[16,3,3,16] palette 2368\nparam head.w f32[10,64] palette 700\nparam head.b f32[10]\n"
	"%1 = conv x conv1.w conv1.b sh=2 sw=2 pt=1 pb=1 pl=1 pr=1 lo=0\n%2 = conv %1 conv2.w conv2.b sh=1 sw=1 pt=1 pb=1 pl=1 pr=1 groups=16 lo=0 hi=6\n%3 = bn %2 bn1.gamma bn1.beta bn1.mean bn1.var eps=1e-05\n"
	"%4 = clip %3 lo=0\n%5 = add %4 %1 lo=0\n%6 = avgpool %5 kh=8 kw=8 sh=8 sw=8\n%7 = reshape %6 rank=2 dim=0,-1\n%8 = fc %7 head.w head.b\ny = softmax %8\noutput y\n"
	"graph lenet\nclass 0\nclass 1\nclass 2\nclass 3\nclass 4\nclass 5\nclass 6\nclass 7\nclass 8\nclass 9\naccuracy 0.9902\ninput x f32[1,28,28,1]\n"
	"param conv1.w f32[20,5,5,1] palette 540\nparam conv2.w f32[50,5,5,20] sparse 3476\nparam fc1.w f32[500,800] sparse 14568\nparam fc2.w f32[100,300] sparse 5220\nparam fc3.w f32[10,500] palette 556\n"
	"param conv1.b f32[20]\nparam conv2.b f32[50]\nparam fc1.b f32[500]\nparam fc2.b f32[10]\nparam fc3.b f32[10]\n"
	"%1 = conv x conv1.w conv1.b sh=1 sw=1\n%2 = maxpool %1 kh=2 kw=2 sh=2 sw=2\n%3 = conv %2 conv2.w conv2.b sh=1 sw=1\n%4 _ = maxpool %3 kh=2 kw=2 sh=2 sw=2\n%5 = reshape %4 rank=2 dim=0,-1\n"
	"%6 = fc %5 fc1.w fc1.b lo=0\n%7 = clip %6 lo=0\ny = fc %7 fc2.w fc2.b\noutput y\n"
	"%1 = reshape x rank=2 dim=0,-1\n%2 = fc %1 fc1.w fc1.b\n%3 = clip %2 lo=0\n%4 = fc %3 fc2.w fc2.b\n%5 = clip %4 lo=0\ny = fc %5 fc3.w fc3.b\noutput y\n";

static uint32_t mixed(uint32_t h, uint32_t v) { return (h ^ v) * 0x9e3779b1u; }

static void contexts(uint32_t at[ORDERS], const cop_words *w)
{
	uint32_t h = 1;

	for (int i = 0, k = 0; i < 6; i++) {
		h = mixed(h, w->last[i]);
		h ^= h >> 15;
		if (i == 0 || i == 1 || i == 2 || i == 4) at[k++] = h;
	}
	at[4] = mixed(w->word, w->line) ^ 0x5bd1e995u;
	at[5] = mixed(w->word, w->last[0]);
}

static void follow(cop_words *w, uint8_t b)
{
	for (int i = HISTORY - 1; i > 0; i--) w->last[i] = w->last[i - 1];
	w->last[0] = b;
	bool letter = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '%';
	if (w->first && letter) w->line = mixed(w->line, b);
	if (!letter) w->first = false;
	w->word = letter ? mixed(w->word, b) : b;
	if (b == '\n') w->first = true, w->line = 0;
}

static int bit_of(cop_range *r, cop_words *w, const uint32_t at[ORDERS], uint32_t node, int bit)
{
	cop_guess *of[ORDERS];

	for (int i = 0; i < ORDERS; i++) {
		uint32_t h = mixed(at[i], node);
		of[i] = &w->guess[i][(h ^ h >> 16) & (SLOTS - 1)];
	}
	return r ? cop__mix_bit(r, &w->mix[node], of, ORDERS, bit) : cop__mix_learn(&w->mix[node], of, ORDERS, bit);
}

static uint8_t byte_of(cop_range *r, cop_words *w, uint8_t b)
{
	uint32_t at[ORDERS], node = 1;

	contexts(at, w);
	for (int i = 7; i >= 0; i--) node = 2 * node + (uint32_t)bit_of(r, w, at, node, b >> i & 1);
	follow(w, (uint8_t)node);
	return (uint8_t)node;
}

uint8_t cop__words_byte(cop_range *r, cop_words *w, uint8_t b) { return byte_of(r, w, b); }

cop_status cop__words_new(cop_words **out, cop_ctx *cx)
{
	cop_words *w = *out = cop__alloc(cx, sizeof *w);

	if (!w) return COP_NOMEM;
	for (int i = 0; i < ORDERS; i++)
		for (int k = 0; k < SLOTS; k++) w->guess[i][k] = cop__guess(32768);
	for (int i = 0; i < 256; i++) cop__mixer_begin(&w->mix[i], ORDERS, 15);
	for (const char *p = learned; *p; p++) byte_of(NULL, w, (uint8_t)*p);
	return COP_OK;
}
