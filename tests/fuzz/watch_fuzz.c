/* watch_fuzz.c - any bytes as a watch's stream. The first byte of the input says in what pieces
 * they come: the owner must be told the same as when they come at once. */
#include <stdlib.h>
#include <string.h>

#include "kube/watch_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct story {
	struct buf told;
	bool begun;
};

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void on_begin(void *arg)
{
	((struct story *)arg)->begun = true;
	buf_puts(&((struct story *)arg)->told, "begin\n");
}

static void on_event(void *arg, enum kube_event event, const struct value *object)
{
	struct story *s = arg;
	const char *name = value_get_str(value_get(object, "metadata"), "name");

	must(s->begun && object && object->type == VALUE_OBJECT && event <= KUBE_DELETED);
	buf_printf(&s->told, "%d %s\n", (int)event, name ? name : "");
}

static void on_synced(void *arg)
{
	must(((struct story *)arg)->begun);
	buf_puts(&((struct story *)arg)->told, "synced\n");
}

static void on_broken(void *arg, const struct error *err)
{
	abort(); /* told at the end of a stream, never inside */
}

static void run(const uint8_t *data, size_t size, size_t piece, struct buf *told)
{
	static const struct kube_watch_ops ops = {on_begin, on_event, on_synced, on_broken};
	static const struct kube_kind kind = {
		.group = "", .version = "v1", .kind = "ConfigMap", .plural = "configmaps"};
	struct story s = {.told = BUF_INIT};
	struct kube_watch w = {.o = {.kind = &kind},
			       .ops = &ops,
			       .arg = &s,
			       .state = WATCH_INITIAL,
			       .line = BUF_INIT};

	for (size_t at = 0; at < size; at += piece) {
		size_t n = size - at < piece ? size - at : piece;
		if (watch_on_data(&w, 200, (const char *)data + at, n) < 0) {
			must(w.trouble != TROUBLE_NONE);
			break;
		}
	}
	buf_printf(&s.told, "%d %s %d %s\n", (int)w.state, w.version, (int)w.trouble,
		   w.trouble == TROUBLE_BROKEN ? w.trouble_err.text : "");
	buf_clear(&w.line);
	*told = s.told;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT, pieces = BUF_INIT;

	if (!size)
		return 0;
	run(data + 1, size - 1, size, &whole);
	run(data + 1, size - 1, (size_t)data[0] % 32 + 1, &pieces);
	must(!strcmp(whole.ptr, pieces.ptr));
	buf_clear(&whole);
	buf_clear(&pieces);
	return 0;
}
