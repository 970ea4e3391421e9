/* desired_folder_test.c - manifests on disk, and `modelsync check` around them. */
#include "test.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "cmd/cmd.h"
#include "desired/desired.h"

#define CM(name) "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " name "}\n"

static char dir[64];

static void put(const char *path, const char *text)
{
	AUTO_FREE char *full = mem_printf("%s/%s", dir, path);
	FILE *f;

	for (char *p = full + strlen(dir) + 1; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdir(full, 0755);
	}
	f = fopen(full, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int setup(void **state)
{
	strcpy(dir, "/tmp/modelsync-check-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/* Runs `modelsync check ARGS` in the folder; *code gets its exit code. */
static char *run_check(const char *args, int *code)
{
	char *argv[16] = {(char *)"check"}, *copy = mem_strdup(args), *word, *rest;
	int argc = 1, out = dup(STDOUT_FILENO), home = open(".", O_RDONLY);
	FILE *kept = tmpfile();
	AUTO(buf) text = BUF_INIT;
	size_t n;
	char chunk[4096];

	for (word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		argv[argc++] = word;
	fflush(stdout);
	assert_true(dup2(fileno(kept), STDOUT_FILENO) >= 0);
	assert_int_equal(chdir(dir), 0);
	*code = cmd_check(argc, argv);
	fflush(stdout);
	assert_int_equal(fchdir(home), 0);
	dup2(out, STDOUT_FILENO);
	close(out);
	close(home);
	rewind(kept);
	while ((n = fread(chunk, 1, sizeof chunk, kept)) > 0)
		buf_add(&text, chunk, n);
	fclose(kept);
	free(copy);
	return buf_detach(&text);
}

static void assert_check(const char *args, int wanted_code, const char *wanted)
{
	int code;
	AUTO_FREE char *seen = run_check(args, &code);

	assert_string_equal(seen, wanted);
	assert_int_equal(code, wanted_code);
}

static void test_check__fine(void **state)
{
	put("b/x.yaml",
	    CM("a") "---\napiVersion: example.com/v1\nkind: Widget\nmetadata: {name: w}\n");
	put("b/.git/bad.yaml", "kind: [\n");
	put("b/values.yaml", "x: 1\n");
	put("b/note.txt", "kind: [\n");
	assert_check(
		"b", 0,
		"note: 1 object of kinds that only a cluster can know: Widget.example.com\n"
		"note: 1 file without a Kubernetes object skipped\n2 objects in 2 files: "
		"fine\n");
	assert_check(
		"b/x.yaml", 0,
		"note: 1 object of kinds that only a cluster can know: Widget.example.com\n"
		"2 objects in 1 file: fine\n");
	assert_check(
		"-o json b/", 0,
		"{\n  \"files\": 2,\n  \"objects\": 2,\n  \"skipped\": 1,\n  \"unknown\": 1,\n"
		"  \"unknownKinds\": \"Widget.example.com\",\n  \"problems\": []\n}\n");
}

static void test_check__problems_of_all_files(void **state)
{
	put("c/a.yaml", CM("a"));
	put("c/d/b.yml", CM("a"));
	put("c/d/z.json", "{\"kind\": }");
	put("c/e.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \"x\\x1b[31m\"}\n");
	assert_check("c", 1,
		     "c/d/b.yml:1: DuplicateObject: ConfigMap a stands here and in c/a.yaml:1 "
		     "(document 1 "
		     "there); keep one\n"
		     "c/d/z.json:1:10: JsonInvalid: a value is wanted, not '}'\n"
		     "c/e.yaml:3:18: NameInvalid: ConfigMap: metadata.name is \"x?[31m\", "
		     "wanted at most "
		     "253 lower case letters, digits, '-' and '.', with a letter or digit at "
		     "both ends\n"
		     "3 problems in 4 files\n");
	assert_check("c/a.yaml c/d/b.yml", 0, "2 objects in 2 files: fine\n");
	assert_check(
		"--output=json c/d/z.json", 1,
		"{\n  \"files\": 1,\n  \"objects\": 0,\n  \"skipped\": 0,\n  \"unknown\": 0,\n"
		"  \"unknownKinds\": \"\",\n  \"problems\": [\n"
		"    {\"file\": \"c/d/z.json\", \"line\": 1, \"column\": 10, \"reason\": "
		"\"JsonInvalid\", \"text\": \"a value is wanted, not '}'\"}\n  ]\n}\n");
}

static void test_check__namespace(void **state)
{
	put("n/a.yaml",
	    CM("a") "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: "
		    "shop}\n");
	assert_check("n", 0, "2 objects in 1 file: fine\n");
	assert_check("n --namespace other", 0, "2 objects in 1 file: fine\n");
	assert_check(
		"-n shop n", 1,
		"n/a.yaml:5: DuplicateObject: ConfigMap shop/a stands here and in n/a.yaml:1 "
		"(document 1 there); keep one\n1 problem in 1 file\n");
}

static void test_check__links_are_not_followed(void **state)
{
	AUTO_FREE char *link = mem_printf("%s/l/link.yaml", dir);
	AUTO_FREE char *folder = mem_printf("%s/l/folder", dir);
	AUTO_FREE char *fifo = mem_printf("%s/l/fifo.yaml", dir);

	put("l/a.yaml", CM("a"));
	assert_int_equal(symlink("/etc/passwd", link), 0);
	assert_int_equal(symlink("/etc", folder), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_check("l", 1,
		     "l/fifo.yaml: Submodule: this is a submodule or no file, which is not "
		     "read; put the "
		     "file itself here\n"
		     "l/link.yaml: Symlink: this is a symbolic link, which is not followed; "
		     "put the file "
		     "itself here\n2 problems in 1 file\n");
}

static void test_check__wrong_use(void **state)
{
	assert_check("", 2, "");
	assert_check("--output yaml x", 2, "");
	assert_check("--nonsense x", 2, "");
	put("w/a.txt", "");
	assert_check("none", 1,
		     "none: Unreadable: can't be read: No such file or directory\n"
		     "1 problem in 0 files\n");
	assert_check(
		"w/a.txt", 1,
		"w/a.txt: NotAManifest: wanted a folder, or a file that ends in .yaml, .yml or "
		".json\n1 problem in 0 files\n");
	int code;
	AUTO_FREE char *help = run_check("--help", &code);
	assert_int_equal(code, 0);
	assert_non_null(strstr(help, "--namespace NS"));
}

static void test_check__depth(void **state)
{
	for (int over = 0; over < 2; over++) {
		AUTO(buf) path = BUF_INIT;
		int code;

		buf_printf(&path, "deep%d", over);
		for (int i = 0; i < GIT_TREE_DEPTH + over; i++)
			buf_puts(&path, "/d");
		buf_puts(&path, "/a.yaml");
		put(path.ptr, CM("a"));
		AUTO_FREE char *seen = run_check(over ? "deep1" : "deep0", &code);
		assert_int_equal(code, over);
		assert_true(!over == !strstr(seen, "TreeTooDeep"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_check__fine),
		cmocka_unit_test(test_check__problems_of_all_files),
		cmocka_unit_test(test_check__namespace),
		cmocka_unit_test(test_check__links_are_not_followed),
		cmocka_unit_test(test_check__wrong_use),
		cmocka_unit_test(test_check__depth),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
