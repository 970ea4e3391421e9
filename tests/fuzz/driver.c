/* driver.c - runs a fuzz target without libFuzzer: NAME [-n N] [-s SEED] PATH...
 *
 * Gives every file of the paths (folders or files) to the target, then N mutations of them,
 * which the seed decides. A crash names its input; a mutated one is kept as ./crash-NUMBER. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"

#define MUTATED_MOST 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	char *name;
	struct buf bytes;
};

static VEC(struct input) corpus;
static uint64_t seed = 1;
static char now[512];		   /* what is being run, for the crash handler */
static const struct buf *mutation; /* NULL: a file as it is */
static char keep_as[64];

static uint32_t next_random(uint32_t limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 32) % limit;
}

static void on_crash(int sig)
{
	if (write(STDERR_FILENO, now, strlen(now)) > 0 && mutation) {
		int fd = open(keep_as, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		if (fd >= 0 && write(fd, mutation->ptr, mutation->len) < 0)
			_exit(1);
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

static void read_file(const char *path)
{
	struct input *in = vec_push(&corpus);
	FILE *f = fopen(path, "rb");
	char chunk[65536];
	size_t n;

	if (!f) {
		perror(path);
		exit(2);
	}
	in->name = mem_strdup(path);
	buf_init(&in->bytes);
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
		buf_add(&in->bytes, chunk, n);
	fclose(f);
}

static int visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

static void read_path(const char *path)
{
	struct dirent **entries;
	struct stat st;
	int n;

	if (stat(path, &st) || !S_ISDIR(st.st_mode)) {
		read_file(path);
		return;
	}
	n = scandir(path, &entries, visible, alphasort);
	for (int i = 0; i < n; i++) {
		AUTO_FREE char *name = mem_printf("%s/%s", path, entries[i]->d_name);
		read_file(name);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

/* Through memory of exactly that size, so that the address sanitizer sees a byte too far. */
static void run(const struct buf *b)
{
	uint8_t *exact = malloc(b->len ? b->len : 1);

	if (!exact)
		abort();
	memcpy(exact, b->ptr, b->len);
	LLVMFuzzerTestOneInput(exact, b->len);
	free(exact);
}

static void cut_in(struct buf *b, size_t at, const char *data, size_t len)
{
	AUTO(buf) tail = BUF_INIT;

	buf_add(&tail, b->ptr + at, b->len - at);
	buf_truncate(b, at);
	buf_add(b, data, len);
	buf_add(b, tail.ptr, tail.len);
}

static void mutate(struct buf *b)
{
	static const char special[] =
		"\"\\{}[]:,-#&*!|>%@`'?<~ \n\t0x.e+_\x7f\xff\xc3\xe2\x80\xa8";
	size_t at = next_random((uint32_t)b->len + 1);
	size_t rest = b->len - at,
	       n = rest ? next_random((uint32_t)(rest < 32 ? rest : 32)) + 1 : 0;
	const struct buf *other = &corpus.items[next_random((uint32_t)corpus.len)].bytes;
	char c = special[next_random(sizeof special)];

	switch (next_random(6)) {
	case 0: /* another byte */
		if (rest)
			b->ptr[at] = (char)next_random(256);
		break;
	case 1: /* a byte that means something */
		cut_in(b, at, &c, 1);
		break;
	case 2: /* without a piece */
		if (rest) {
			AUTO(buf) tail = BUF_INIT;
			buf_add(&tail, b->ptr + at + n, rest - n);
			buf_truncate(b, at);
			buf_add(b, tail.ptr, tail.len);
		}
		break;
	case 3: /* a piece twice */
		if (rest) {
			AUTO(buf) piece = BUF_INIT;
			buf_add(&piece, b->ptr + at, n);
			cut_in(b, at, piece.ptr, n);
		}
		break;
	case 4: /* a piece of another file */
		if (other->len) {
			size_t from = next_random((uint32_t)other->len);
			size_t most = other->len - from < 64 ? other->len - from : 64;
			cut_in(b, at, other->ptr + from, next_random((uint32_t)most) + 1);
		}
		break;
	case 5: /* cut off */
		if (next_random(8) == 0)
			buf_truncate(b, at);
		break;
	}
	buf_truncate(b, MUTATED_MOST);
}

static void run_mutations(long count, long first_seed)
{
	AUTO(buf) b = BUF_INIT;

	mutation = &b;
	for (long i = 0; corpus.len && i < count; i++) {
		const struct input *in = &corpus.items[next_random((uint32_t)corpus.len)];
		snprintf(now, sizeof now, "\ncrashed: mutation %ld of seed %ld, from %s\n", i,
			 first_seed, in->name);
		snprintf(keep_as, sizeof keep_as, "crash-%ld", i);
		buf_reset(&b);
		buf_add(&b, in->bytes.ptr,
			in->bytes.len < MUTATED_MOST ? in->bytes.len : MUTATED_MOST);
		for (uint32_t k = next_random(6) + 1; k; k--)
			mutate(&b);
		run(&b);
	}
	mutation = NULL;
}

int main(int argc, char **argv)
{
	static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM};
	long count = 0, first_seed = 1;
	int opt;

	while ((opt = getopt(argc, argv, "n:s:")) != -1) {
		if (opt == 'n')
			count = atol(optarg);
		else if (opt == 's')
			first_seed = atol(optarg);
		else
			return 2;
	}
	if (optind == argc) {
		fprintf(stderr, "usage: %s [-n MUTATIONS] [-s SEED] PATH...\n", argv[0]);
		return 2;
	}
	seed = (uint64_t)first_seed * 0x9e3779b97f4a7c15 + 1;
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		signal(signals[i], on_crash);
	for (int i = optind; i < argc; i++)
		read_path(argv[i]);
	for (size_t i = 0; i < corpus.len; i++) {
		snprintf(now, sizeof now, "\ncrashed: %s\n", corpus.items[i].name);
		run(&corpus.items[i].bytes);
	}
	run_mutations(count, first_seed);
	printf("%zu files, %ld mutations\n", corpus.len, corpus.len ? count : 0);
	for (size_t i = 0; i < corpus.len; i++) {
		free(corpus.items[i].name);
		buf_clear(&corpus.items[i].bytes);
	}
	size_t files = corpus.len;
	vec_clear(&corpus);
	return files ? 0 : 1;
}
