/* SPDX-License-Identifier: Apache-2.0
 *
 * seeds FOLDER - the files that the fuzzers begin with, FOLDER/KIND/...: every sample of every operator as text, and small
 * files of each kind that is read, as the program and the tests write them. FOLDER/model.dict are words of the text.
 */
#include "../data/make.h"
#include "io/cop/cop.h"
#include "op/op.h"
#include "seeds.h"

static const char *root;

void seed(const char *kind, const char *name, const void *p, size_t n)
{
	char path[160];
	snprintf(path, sizeof path, "%s/%s", kind, name);
	write_at(root, path, p, n);
}
static void put_bytes(const char *kind, const char *name, bytes b)
{
	seed(kind, name, b.at, b.n);
	drop(&b);
}

static cop_status into(void *ud, const void *p, size_t n)
{
	add(ud, p, n);
	return COP_OK;
}

/* One graph an operator sample, its results its outputs. */
cop_graph *seed_sample(cop_ctx *cx, int op, int which)
{
	cop_graph *g;

	assert_int_equal(cop__graph_new(&g, cx, "g"), COP_OK);
	cop_nid n = cop_ops[op]->sample(g, which);
	for (int i = 0; n && i < cop_ops[op]->n_out; i++)
		if (cop__want_out(g, n, i) && !g->value[cop__res(g, n, i)].alias) cop__output(g, cop__res(g, n, i), NULL);
	if (!n) cop_graph_free(g);
	return n ? g : NULL;
}

/* As text; contents are small whole numbers, as in row lists and codes. */
static void models(cop_ctx *cx)
{
	cop_graph *g;

	for (int op = 1; op < COP_N_OP; op++)
		for (int which = 0; (g = seed_sample(cx, op, which)); which++) {
			bytes b = {0};
			char name[64];
			cop_graph_print(g, into, &b);
			cop_graph_free(g);
			add(&b, "\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\200\77", 17);
			snprintf(name, sizeof name, "%s-%d", cop_ops[op]->name, which);
			if (b.n < 4096) put_bytes("model", name, b);
		}
}

/* The words of the text form, for the mutator. */
static void words(void)
{
	static const char *const word[] = {"input", "const", "param", "state", "output", "palette", "sparse", "of=", "guard=", " = ", " _ ",
		"f32[", "i32[", "i8[", "u8[", "0", "-1", "2147483647", "-2147483648", "inf", "nan"};
	bytes b = {0};
	char line[80];

	for (int i = 0; i < LEN(word); i++) add(&b, line, (size_t)snprintf(line, sizeof line, "\"%s\"\n", word[i]));
	for (int op = 1; op < COP_N_OP; op++) {
		add(&b, line, (size_t)snprintf(line, sizeof line, "\" = %s \"\n", cop_ops[op]->name));
		for (const char *a = cop_ops[op]->attrs; a && *a; a += strspn(a, " ")) {
			add(&b, line, (size_t)snprintf(line, sizeof line, "\" %.*s=\"\n", (int)strcspn(a, ":"), a));
			a += strcspn(a, " ");
		}
	}
	put_bytes(".", "model.dict", b);
}

static void networks(cop_ctx *cx)
{
	static const char *const name[] = {"mlp-9x4x3", "lenet-5", "resnet-8"};
	cop_zoo_args a = {.batch = 1, .seed = 1};

	for (int i = 0; i < LEN(name); i++)
		for (int train = 0; train < 2; train++) {
			char file[64];
			bytes b = {0};
			cop_text t;
			cop_graph *g, *use;
			assert_int_equal(cop_zoo_build(&g, cx, name[i], &a), COP_OK);
			use = g;
			if (train) assert_int_equal(cop_graph_train(&use, g, "loss=xent"), COP_OK);
			snprintf(file, sizeof file, "%s%s", name[i], train ? "-train" : "");
			cop_graph_print(use, into, &b);
			put_bytes("model", file, b);
			cop__text_init(&t, cx);
			for (int codec = 0; !i && codec < COP_N_CODEC; codec++) {
				t.len = 0;
				snprintf(file, sizeof file, "%d%d", train, codec);
				assert_int_equal(cop__model_write(&t, use, NULL, 0, (cop_codec)codec), COP_OK);
				seed("cop", file, t.data, t.len);
			}
			cop__text_free(&t);
			snprintf(file, sizeof file, "%s/safetensors/mlp", root);
			if (!i && !train) {
				seed("safetensors", "mlp", "", 0);
				assert_int_equal(cop_weights_save(g, file), COP_OK);
			}
			if (train) cop_graph_free(use);
			cop_graph_free(g);
		}
}

/* Of the network that fuzz_diff.c has. */
static void difference(cop_ctx *cx)
{
	char file[1024];
	cop_graph *was, *g;
	cop_tensor w;

	assert_int_equal(cop_zoo_build(&was, cx, "mlp-9x4x3", &(cop_zoo_args){.batch = 1, .seed = 1}), COP_OK);
	assert_int_equal(cop_graph_copy(&g, was), COP_OK);
	assert_int_equal(cop_graph_edit(g, "fc1.w", &w), COP_OK);
	for (int i = 0; i < 9; i++) ((float *)w.data)[i] += 0.25f;
	seed("diff", "mlp", "", 0);
	snprintf(file, sizeof file, "%s/diff/mlp", root);
	assert_int_equal(cop_diff_save(g, was, "", file), COP_OK);
	cop_graph_free(g);
	cop_graph_free(was);
}

/* As fuzz_huffman and fuzz_checkpoint cut their bytes up. */
static void tensors(cop_ctx *cx)
{
	static const float codebook[] = {0, 1, -2, 0.5f};
	static const uint8_t whole[4] = {0, 0, 196, 2}; /* no text; "w": value 0, 324 bytes, raw */
	float w[6 * 8];
	uint8_t code[48];
	bytes b = {0};

	for (int i = 0; i < 48; i++) w[i] = codebook[code[i] = (uint8_t)(cop__rand(1, 1, (uint64_t)i) % 8 % 5 % 4)];
	for (int enc = COP_DENSE; enc <= COP_SPARSE; enc++)
		for (int codec = 0; codec < COP_N_CODEC; codec++) {
			cop_type t = cop__type(COP_F32, 2, DIMS(6, 8));
			void *blob = w;
			cop_codec c = (cop_codec)codec;
			cop_text s;
			char name[8];
			t.enc = (cop_enc)enc;
			if (enc == COP_PALETTE) assert_int_equal(cop__encode_codes(&blob, &t.enc_bytes, cx, COP_PALETTE, codebook, 4, code, 6, 8), COP_OK);
			if (enc == COP_SPARSE) assert_int_equal(cop__encode_codes(&blob, &t.enc_bytes, cx, COP_SPARSE, codebook, 4, code, 6, 8), COP_OK);
			cop__text_init(&s, cx);
			assert_int_equal(cop__store(&s, &c, cx, &t, blob), COP_OK);
			uint8_t head[6] = {(uint8_t)(enc * 4 + c), 5, 7, 0, (uint8_t)t.enc_bytes, (uint8_t)(t.enc_bytes >> 8)};
			add(&b, head, 6), add(&b, s.data, s.len);
			snprintf(name, sizeof name, "%d%d", enc, codec);
			put_bytes("huffman", name, b);
			b = (bytes){0};
			cop__text_free(&s);
			if (enc) cop__free(cx, blob);
		}
	add(&b, whole, 4);
	for (int i = 0; i < 81; i++) add(&b, &(float){(float)i}, 4);
	put_bytes("checkpoint", "raw", b);
	seed("checkpoint", "line", "\030z = add x x lo=0 hi=1e30", 25);
}

static void arrays(cop_ctx *cx)
{
	static const cop_dtype dtype[] = {COP_F32, COP_I32, COP_I8, COP_U8};
	float zero[12] = {0};
	char path[300];

	for (int i = 0; i < LEN(dtype); i++) {
		char name[8];
		snprintf(name, sizeof name, "%d", i);
		seed("npy", name, "", 0);
		snprintf(path, sizeof path, "%s/npy/%s", root, name);
		assert_int_equal(cop_npy_write(cx, path, &(cop_tensor){cop__type(dtype[i], 2, DIMS(3, 4)), zero}), COP_OK);
	}
	seed("csv", "plain", "a,b,label\n1,2,0\n-3.5,1e3,1\n", 27);
	seed("csv", "names", "x;class\n1;\"a;\"\"b\"\n2;c\n", 23);
	seed("idx", "bytes", "\0\0\10\2\0\0\0\2\0\0\0\3abcdef", 18);
	seed("idx", "floats", "\0\0\15\1\0\0\0\1\77\200\0\0", 12);
}

static void media(void)
{
	static uint8_t picture[8 * 8 * 3], record[2 * COP_CIFAR_RECORD];
	int16_t sound[800];
	bytes b = {0};

	for (int i = 0; i < LEN(picture); i++) picture[i] = (uint8_t)(i * 7);
	for (int i = 0; i < LEN(sound); i++) sound[i] = (int16_t)(i * i % 4001 - 2000);
	seed("cifar", "two", record, sizeof record);
	put_bytes("pixels", "grey", png_of(picture, 5, 7, 1));
	put_bytes("pixels", "colour", png_of(picture, 8, 8, 3));
	put_bytes("wav", "mono", wav_of(sound, 800, 8000, 1));
	put_bytes("wav", "stereo", wav_of(sound, 400, 16000, 2));
	add_tar(&b, "a/b.txt", "hello", 5);
	add_tar(&b, "c", picture, sizeof picture);
	uint8_t end[1024] = {0};
	add(&b, end, sizeof end);
	put_bytes("tar", "two", b);
}

/* As fuzz_words, fuzz_recipe, fuzz_history and fuzz_log read them. */
static void texts(void)
{
	static const char *const word[] = {"@dce:keep=fc1.w", "Abatch:n=3", "Ato_infer fuse shrink", "@slice:of=fc1.w,axis=0,drop=1|2", "Apatch:at=conv2,bands=2", "@round:mode=single", "@fold_bn fuse",
		"Bloss=xent smooth=0.1 update=sgd momentum=0.9 nesterov=1 decay=5e-4 clip=1 layers=fc*", "Bloss=mse update=adam beta1=0.9 beta2=0.99", "Cmlp-784x100x10", "Cmobilenet-v2-0.35@128", "Cresnet-20", "Cds-cnn"};
	static const char recipe[] = "name: all\nstages:\n  - prune: {keep: 0.1, schedule: gradual, epochs: 2, lr: 0.01, may_cost: 0.5}\n  - share: {levels: 16, epochs: 1}\n"
		"  - train: {epochs: 1, update: 'adam'}\n  - quantize: {scheme: w8a8, range: mse, keep_float: 'fc*'}\n  - encode: {codec: smallest}\n";
	static const char history[] = "{\"recipe\":\"r\",\"before\":{\"accuracy\":0.9,\"parameters\":10,\"nonzero\":10,\"macs\":10,\"file_bytes\":100,\"flash_bytes\":100,\"ram_bytes\":10,"
		"\"energy_nj\":1,\"microseconds\":1},\"after\":{\"accuracy\":0.9,\"parameters\":5},\"stages\":[{\"stage\":\"prune\",\"accuracy\":[0.9,0.8],\"bytes\":[9,8],\"kept\":true,\"why\":\"w\",\"seconds\":1.5}],"
		"\"curve\":[{\"stage\":\"prune\",\"epoch\":1,\"loss\":0.5,\"accuracy\":0.5}],\"layers\":[{\"name\":\"a\",\"count\":4,\"nonzero\":2,\"range\":1,\"bytes\":4,\"before\":[1,2],\"after\":[1,2]}]}\n";

	static const char log[] = "stage,epoch,loss,accuracy,mse,rate,seconds\ntrain,1,0.5,0.9,,0.1,2.5\r\ntrain,2,0.25,0.95,,1e-3,2\nprune,1,0.5,,0.125,0.01,3\n";

	for (int i = 0; i < LEN(word); i++) {
		char name[8];
		snprintf(name, sizeof name, "%d", i);
		seed("words", name, word[i], strlen(word[i]));
	}
	seed("recipe", "all", recipe, sizeof recipe - 1);
	seed("history", "all", history, sizeof history - 1);
	seed("log", "all", log, sizeof log - 1);
}

int main(int argc, char **argv)
{
	cop_ctx *cx;

	if (argc != 2 || cop_ctx_new(&cx, NULL)) return 2;
	root = argv[1];
	models(cx);
	words();
	networks(cx);
	difference(cx);
	tensors(cx);
	arrays(cx);
	media();
	texts();
	seeds_onnx(cx);
	seeds_tflite();
	cop_ctx_free(cx);
	return 0;
}
