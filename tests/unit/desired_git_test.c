/* desired_git_test.c - the same from a real repository: a signed commit, checked, read by id.
 */
#include "test.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "base/text.h"
#include "desired/desired.h"
#include "support/trust_fixture.h"

static struct fixture fixture;

static int setup(void **state)
{
	fixture_make(&fixture);
	fixture_commit(&fixture, "README.md");
	return 0;
}

static int teardown(void **state)
{
	fixture_clear(&fixture);
	return 0;
}

/* HEAD, as trust/ lets it pass when its parent is trusted. */
static struct verified *verify_head(void)
{
	struct object_id trusted = fixture_id(&fixture, "HEAD^");
	struct policy *policy = policy_alice(&fixture);
	struct refusal refusal = {0};
	struct verified *v = NULL;

	if (check_as(&fixture, "HEAD", &trusted, policy, clock_now_ms(), 0, &refusal, &v))
		fail_msg("%s", refusal.text);
	policy_free(policy);
	return v;
}

static struct desired *make(const struct desired *previous)
{
	struct desired_spec spec = {.app = "agent/shop",
				    .part_of = "applyset-test-v1",
				    .path = "deploy",
				    .recurse = true,
				    .ns = "shop"};
	AUTO(problems) problems = {0};
	struct verified *v = verify_head();
	struct desired *d = NULL;

	if (desired_make(v, &spec, &kind_source_builtin, previous, &d, &problems) < 0)
		fail_msg("%s: %s", problems.list.items[0].file, problems.list.items[0].text);
	verified_free(v);
	return d;
}

static void put_bodies(const struct desired *d, struct buf *out)
{
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < desired_count(d); i++) {
		const struct desired_object *o = desired_at(d, i);
		buf_printf(out, "%s %s:%u ", o->key, o->file, o->line);
		if (desired_body(d, o, out, &err) < 0)
			fail_msg("%s", err.text);
		buf_putc(out, '\n');
	}
}

/* Names whose order in git differs from that of plain names: a folder sorts as "name/". */
static void write_files(int from, int to)
{
	fixture_sh(&fixture,
		   "mkdir -p deploy/a deploy/a-b deploy/a.c && for i in $(seq %d %d); do "
		   "for d in . a a-b a.c; do printf 'apiVersion: v1\\nkind: "
		   "ConfigMap\\nmetadata:\\n"
		   "  name: n%%s-x%%s\\ndata: {k: \"%%s\"}\\n' \"$i\" \"$(echo $d | tr -d .)\" "
		   "\"$i\" > "
		   "deploy/$d/f$i.yaml; done; done && git add -A && git commit -qm files",
		   from, to);
}

static void test_git__reads_a_verified_commit(void **state)
{
	AUTO(buf) seen = BUF_INIT;
	struct error err = ERROR_INIT;

	fixture_sh(&fixture, "mkdir -p deploy && cat > deploy/web.yaml <<'END'\n"
			     "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n---\n"
			     "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\nEND\n"
			     "echo 'x: 1' > deploy/values.yaml; echo 'kind: [' > other.yaml\n"
			     "git add -A && git commit -qm web");
	struct desired *d = make(NULL);
	assert_int_equal(desired_count(d), 2);
	assert_int_equal(desired_skipped(d), 1);
	assert_string_equal(desired_at(d, 0)->key, "ConfigMap|shop|web");
	assert_string_equal(desired_at(d, 0)->file, "deploy/web.yaml");
	assert_int_equal(desired_body(d, desired_at(d, 1), &seen, &err), 0);
	assert_string_equal(
		seen.ptr,
		"{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"annotations\":{"
		"\"modelsync.dev/applied\":\"c405e15943143205693bda2efe29e7c1 "
		"Namespace||shop\"},"
		"\"labels\":{\"applyset.kubernetes.io/part-of\":\"applyset-test-v1\"},"
		"\"name\":\"shop\"}}");
	desired_free(d);
}

static void test_git__reuse_equals_a_fresh_reading(void **state)
{
	AUTO(buf) reused = BUF_INIT, fresh = BUF_INIT;

	write_files(1, 20);
	struct desired *first = make(NULL);
	write_files(11, 25);
	fixture_sh(&fixture, "git rm -q deploy/a/f3.yaml deploy/f20.yaml && echo '# more' >> "
			     "deploy/a-b/f1.yaml && git add -A && git commit -qm less");
	struct desired *second = make(first), *again = make(NULL);
	desired_free(first); /* nothing of it lives on in the second */
	assert_int_equal(desired_count(second), 2 + 25 * 4 - 2);
	put_bodies(second, &reused);
	put_bodies(again, &fresh);
	assert_string_equal(reused.ptr, fresh.ptr);
	desired_free(second);
	desired_free(again);
}

/* What is on disk and what is in the commit read alike. */
static void test_git__check_agrees(void **state)
{
	struct desired_spec spec = {.part_of = "x", .recurse = true, .ns = "shop"};
	AUTO_FREE char *path = mem_printf("%s/deploy", fixture.work);
	struct manifests_count count;
	AUTO(problems) problems = {0};
	struct desired *d = make(NULL);

	assert_int_equal(manifests_check(path, &spec, NULL, &count, &problems), 0);
	assert_int_equal(count.objects, desired_count(d));
	assert_int_equal(count.skipped, desired_skipped(d));
	desired_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_git__reads_a_verified_commit),
		cmocka_unit_test(test_git__reuse_equals_a_fresh_reading),
		cmocka_unit_test(test_git__check_agrees),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
