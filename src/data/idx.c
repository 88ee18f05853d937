/* SPDX-License-Identifier: Apache-2.0
 *
 * idx - the IDX files of MNIST and Fashion-MNIST (LeCun): two zero bytes, the type (8: unsigned byte), the
 * rank, the lengths as big-endian words, the elements. Plain or gzip.
 */
#include "data/data.h"

#include <stdio.h>

cop_status cop__idx_parse(cop_idx *out, const cop_blob *b)
{
	const uint8_t *p = b->bytes;
	int64_t count = 1;

	*out = (cop_idx){0};
	if (b->size < 4)
		return cop__error(
		        b->cx, COP_FORMAT, "%s: is %zu bytes long, too short for an IDX header", b->path, b->size);
	if (p[0] || p[1])
		return cop__error(b->cx, COP_FORMAT,
		        "%s: byte 0: not an IDX file (it begins %02x %02x, 00 00 is expected)", b->path, p[0], p[1]);
	if (p[2] != 8)
		return cop__error(b->cx, COP_FORMAT, "%s: byte 2: IDX type %02x, only 08 (unsigned bytes) is read",
		        b->path, p[2]);
	if (p[3] < 1 || p[3] > 4)
		return cop__error(b->cx, COP_FORMAT, "%s: byte 3: IDX rank %d, 1 to 4 is read", b->path, p[3]);
	size_t head = 4 + 4 * (size_t)p[3];
	if (b->size < head)
		return cop__error(b->cx, COP_FORMAT, "%s: byte %zu: the IDX header is cut off", b->path, b->size);
	for (int i = 0; i < p[3]; i++) {
		uint32_t n = cop__be32(p + 4 + 4 * i);
		if (n > INT32_MAX)
			return cop__error(
			        b->cx, COP_FORMAT, "%s: byte %d: axis %d is %u long", b->path, 4 + 4 * i, i, n);
		out->dim[i] = (int32_t)n;
		if (n && count > INT64_MAX / n)
			return cop__error(
			        b->cx, COP_FORMAT, "%s: byte %d: the axes multiply beyond 2^63", b->path, 4 + 4 * i);
		count *= n;
	}
	if ((uint64_t)count != b->size - head)
		return cop__error(b->cx, COP_FORMAT, "%s: byte %zu: %lld elements are announced, %zu bytes follow",
		        b->path, head, (long long)count, b->size - head);
	out->rank = p[3];
	out->count = count;
	out->data = p + head;
	return COP_OK;
}

/* name or name.gz, whichever is there. */
static bool find(char path[COP_DATA_PATH], const char *folder, const char *name)
{
	snprintf(path, COP_DATA_PATH, "%s/%s", folder, name);
	if (cop__is_file(path, "")) return true;
	snprintf(path, COP_DATA_PATH, "%s/%s.gz", folder, name);
	return cop__is_file(path, "");
}

static cop_status load(cop_blob *b, cop_idx *a, cop_ctx *cx, const char *folder, bool test, bool labels)
{
	char path[COP_DATA_PATH], name[64];

	snprintf(name, sizeof name, "%s-%s-ubyte", test ? "t10k" : "train", labels ? "labels-idx1" : "images-idx3");
	if (!find(path, folder, name))
		return cop__error(cx, COP_IO, "%s/%s: neither it nor its .gz is there", folder, name);
	COP_TRY(cop__blob_load(b, cx, path, 0));
	return cop__idx_parse(a, b);
}

static cop_status copy(
        cop_store *s, const cop_idx *x, const cop_idx *y, const cop_want *w, const char *images, const char *labels)
{
	const int32_t dim[3] = {x->dim[1], x->dim[2], 1};
	int32_t from, count;

	if (x->rank != 3 || y->rank != 1)
		return cop__error(s->cx, COP_FORMAT, "%s: has rank %d, 3 is expected (labels: %d, 1 is expected)",
		        images, x->rank, y->rank);
	if (x->dim[0] != y->dim[0])
		return cop__error(s->cx, COP_FORMAT, "%s: has %d images, but %s has %d labels", images, x->dim[0],
		        labels, y->dim[0]);
	cop__split_range(&from, &count, w, x->dim[0]);
	COP_TRY(cop__store_shape(s, 3, dim, false));
	COP_TRY(cop__store_room(s, count));
	memcpy(s->code, x->data + (size_t)from * s->each, (size_t)count * s->each);
	for (int32_t i = 0; i < count; i++) s->label[i] = y->data[from + i];
	int32_t *seen = cop__alloc(s->cx, sizeof *seen * (size_t)COP_MAX(y->dim[0], 1));
	if (!seen) return COP_NOMEM;
	for (int32_t i = 0; i < y->dim[0]; i++) seen[i] = y->data[i];
	cop_status st = cop__store_class_numbers(s, seen, y->dim[0]);
	cop__free(s->cx, seen);
	return st;
}

static cop_status open_idx(cop_store *s, const char *folder, const cop_want *w)
{
	cop_blob images = {0}, labels = {0};
	cop_idx x, y;
	bool test = w->split & COP_SPLIT_TEST;
	cop_status st;

	COP_GO(load(&images, &x, s->cx, folder, test, false));
	COP_GO(load(&labels, &y, s->cx, folder, test, true));
	COP_GO(copy(s, &x, &y, w, images.path, labels.path));
done:
	cop__blob_free(&images);
	cop__blob_free(&labels);
	return st;
}

static bool fits(const char *path)
{
	char at[COP_DATA_PATH];
	return find(at, path, "train-images-idx3-ubyte") || find(at, path, "t10k-images-idx3-ubyte");
}

const cop_data_row cop_data_mnist = {
        .name = "mnist",
        .summary = "handwritten digits, 28x28 grey, 60,000 + 10,000, 10 classes",
        .licence = "CC BY-SA 3.0 (LeCun, Cortes, Burges)",
        .home = "https://storage.googleapis.com/cvdf-datasets/mnist",
        .file = {{"train-images-idx3-ubyte.gz", 9912422,
                         "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
                {"train-labels-idx1-ubyte.gz", 28881,
                        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
                {"t10k-images-idx3-ubyte.gz", 1648877,
                        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
                {"t10k-labels-idx1-ubyte.gz", 4542,
                        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"}},
        .fits = fits,
        .open = open_idx,
};

const cop_data_row cop_data_fashion_mnist = {
        .name = "fashion-mnist",
	.classes = "T-shirt Trouser Pullover Dress Coat Sandal Shirt Sneaker Bag Ankle-boot",
	.summary = "articles of clothing, 28x28 grey, 60,000 + 10,000, 10 classes",
        .licence = "MIT (Zalando SE)",
        .home = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
        .file = {{"train-images-idx3-ubyte.gz", 26421880,
                         "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
                {"train-labels-idx1-ubyte.gz", 29515,
                        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
                {"t10k-images-idx3-ubyte.gz", 4422102,
                        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
                {"t10k-labels-idx1-ubyte.gz", 5148,
                        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"}},
        .fits = fits,
        .open = open_idx,
};

const cop_data_row cop_data_idx = {
        .name = "idx",
        .format = true,
        .summary = "a folder of {train,t10k}-{images-idx3,labels-idx1}-ubyte, plain or .gz",
        .licence = "",
        .fits = fits,
        .open = open_idx,
};
